"""How well scores rank, as a self-contained HTML page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from swapnas_ext._util import exp_or_inf
from swapnas_ext.correlation import analysis, caveats
from swapnas_ext.report.analysis.page import analysis_parts
from swapnas_ext.report.correlation.contents import (
    asked_first,
    coefficient_columns,
    coefficient_text,
    comparison_columns,
    notes,
    summary,
    top_columns,
)
from swapnas_ext.report.shared.axes import Axis
from swapnas_ext.report.shared.charts import Chart, Dots, draw_scatter
from swapnas_ext.report.shared.measured import definition
from swapnas_ext.report.shared.names import short_name
from swapnas_ext.report.shared.page import Architecture, DataSet, Table, page, settings_text
from swapnas_ext.report.shared.text import spread

if TYPE_CHECKING:
    from swapnas_ext.correlation import Correlations, OperationEffect
    from swapnas_ext.spaces import SearchSpace

_LISTED = 100
"""How many of the rows that could not be scored, or were left out, are listed."""
_BEST = 10
"""How many of the highest by the first predictor are listed."""
_DOTS = 1000
"""Rows that a chart shows; of more, evenly chosen ones."""
_LARGEST = 34.0
"""The largest logarithm of a value that is shown as that value: people read 1e14, and rather ln 90 than 1e39."""
_FEW = 0.03
"""The part of the lowest values that need not be so near to 1: a chart leaves out what is far below all others."""


def to_page(found: Correlations, made_with: dict[str, Any], space: SearchSpace) -> str:
    """A page with coefficients, how accurate the highest are, a chart of each predictor against accuracy, what scores
    tell about the space, failures and settings.

    Args:
        made_with: the settings to show.
    """
    candidates = [row.candidate for row in found.rows]
    told = [*notes(found), *caveats(candidates)]
    if "pilot" in made_with:
        told.append(made_with["pilot"]["sentence"])
    shown = _Shown(found, space)
    parts = analysis_parts(_effects(found, space), shown.candidates, found.repeats, space)
    scatters = shown.charts()
    rankings = asked_first(found)
    top = top_columns(rankings)
    coefficients = Table(
        "How well each predictor ranks the accuracies", coefficient_columns(rankings)
    )
    first = rankings[0] if rankings else None
    return page(
        "correlation.html",
        heading=f"Correlation with {found.table.accuracy}: {found.table.name}",
        lead=[summary(found)],
        charts=[*scatters, *parts.charts],
        sets=[shown.data_set(), *parts.sets],
        notes=told,
        first=first,
        rho=coefficient_text(first.rho) if first else "",
        verdicts=[
            f"{one.name} against {one.other}: {one.verdict}"
            for one in found.comparisons
            if first is not None and one.name == first.name
        ],
        definition=definition(candidates[0].score_of) if candidates else "",
        coefficients=coefficients,
        top=Table("How accurate the highest of each predictor are", top) if top else None,
        comparisons=Table("Differences of Spearman's rho", comparison_columns(found.comparisons))
        if found.comparisons
        else None,
        scatters=scatters,
        table=shown.table(),
        parts=parts,
        missing=_missing(found),
        missing_count=len(found.failed) + len(found.table.faults),
        settings=settings_text(made_with),
    )


class _Shown:
    """What charts and tables show of rows."""

    def __init__(self, found: Correlations, space: SearchSpace) -> None:
        self._found, self._space = found, space
        values = found.predictors
        self._predictors = {one.name: values[one.name] for one in asked_first(found)}
        self._listed = self._best_rows()
        places = spread(range(len(found.rows)), _DOTS)
        self._places = sorted({*places, *self._listed})
        self.candidates = list({row.candidate.form: row.candidate for row in found.rows}.values())

    def _best_rows(self) -> list[int]:
        """Places of the highest by the first predictor, the highest first."""
        first = next(iter(self._predictors.values()), [])
        known = [place for place, value in enumerate(first) if not math.isnan(value)]
        return sorted(known, key=lambda place: -first[place])[:_BEST]

    def table(self) -> Table | None:
        """The highest by the first predictor, with their accuracies."""
        if not self._listed:
            return None
        name, values = next(iter(self._predictors.items()))
        accuracies = [row.row.accuracy for row in self._found.rows]
        rows = [self._found.rows[place] for place in self._listed]
        columns: dict[str, Sequence[Any]] = {
            "rank": [str(rank) for rank in range(1, len(rows) + 1)],
            "architecture": [
                Architecture(short_name(row.row.architecture, self._space), row.row.architecture)
                for row in rows
            ],
            self._title(name): [
                f"{exp_or_inf(values[place]) if self._is_log(name) else values[place]:.6g}"
                for place in self._listed
            ],
            self._found.table.accuracy: [f"{row.row.accuracy:.6g}" for row in rows],
            "its rank": [
                f"{1 + sum(other > row.row.accuracy for other in accuracies):,}" for row in rows
            ],
            "params": [f"{row.parameters:,}" for row in rows],
        }
        caption = f"The architectures that are highest by {name}, and the ranks of their accuracies"
        return Table(caption, columns, [f"row-{place}" for place in self._listed])

    def data_set(self) -> DataSet:
        rows = [self._found.rows[place] for place in self._places]
        ranks = {place: rank for rank, place in enumerate(self._listed, start=1)}
        names = [short_name(row.row.architecture, self._space) for row in rows]
        fields: dict[str, Sequence[Any]] = {
            "name": [
                f"#{ranks[place]} {name}" if place in ranks else name
                for place, name in zip(self._places, names, strict=True)
            ],
            "accuracy": [row.row.accuracy for row in rows],
            "parameters": [row.parameters for row in rows],
            "row": [f"row-{place}" if place in ranks else "" for place in self._places],
            "architecture": [row.row.architecture for row in rows],
        }
        for number, name in enumerate(self._predictors):
            fields[f"p{number}"] = self._values(name)
        first = next(iter(self._predictors), None)
        told = {"accuracy": self._found.table.accuracy, "parameters": "parameters"}
        return DataSet("rows", fields, told | ({} if first is None else {"p0": self._title(first)}))

    def _is_log(self, name: str) -> bool:
        """Whether the predictor is a logarithm of what a chart can show."""
        known = sorted(value for value in self._predictors[name] if math.isfinite(value))
        most = known[int(_FEW * len(known)) :]
        return (
            not self._is_of_table(name)
            and bool(most)
            and most[0] > -_LARGEST
            and most[-1] < _LARGEST
        )

    def _values(self, name: str) -> list[float]:
        is_log = self._is_log(name)
        values = [self._predictors[name][place] for place in self._places]
        return [exp_or_inf(value) if is_log else value for value in values]

    def charts(self) -> list[Chart]:
        rankings = {ranking.name: ranking for ranking in self._found.rankings}
        title = self._found.table.accuracy
        accuracies = [self._found.rows[place].row.accuracy for place in self._places]
        total = len(self._found.rows)
        some = (
            f"; {len(self._places):,} of {total:,} are shown" if len(self._places) < total else ""
        )
        charts = []
        for number, name in enumerate(self._predictors):
            is_log = self._is_log(name)
            x = Axis(
                f"p{number}",
                self._title(name),
                self._values(name),
                wide=3.0 if is_log else math.inf,
                trims=is_log,
            )
            y = Axis("accuracy", title, accuracies, wide=math.inf, trims=True)
            hidden = self._hidden(x, y)
            told = {"accuracy": title, f"p{number}": x.title, "parameters": "parameters"}
            rho = coefficient_text(rankings[name].rho)
            chart = draw_scatter(
                f"scatter-{number}",
                Dots("rows", x, y, told),
                f"{name}:",
                f"A dot for each architecture, {title} by {name}; Spearman's rho {rho}.",
                f"rho {rho}{some}{f'; {hidden:,} much lower not shown' if hidden else ''}",
            )
            charts.append(chart)
        return charts

    @staticmethod
    def _hidden(x: Axis, y: Axis) -> int:
        """How many dots an axis leaves out, that of the predictor or that of the accuracy."""
        low_x, low_y = (axis.shown[0] if axis.hidden else -math.inf for axis in (x, y))
        return sum(
            math.isfinite(at) and (at < low_x or accuracy < low_y)
            for at, accuracy in zip(x.values, y.values, strict=True)
        )

    def _title(self, name: str) -> str:
        """What an axis with the predictor is called."""
        return name if self._is_log(name) or self._is_of_table(name) else f"ln {name}"

    def _is_of_table(self, name: str) -> bool:
        baselines = self._found.rows[0].row.baselines if self._found.rows else {}
        return name in {*baselines, *(f"{one} (table)" for one in baselines)}


def _effects(found: Correlations, space: SearchSpace) -> dict[str, list[OperationEffect]]:
    alike = analysis.scored_alike([row.candidate for row in found.rows])
    of_score = {candidate.form for candidate in alike}
    rows = [row for row in found.rows if row.candidate.form in of_score]
    return {
        "score": analysis.operation_effects(
            space,
            [row.row.architecture for row in rows],
            [row.candidate.log_score for row in rows],
        ),
        found.table.accuracy: analysis.operation_effects(
            space,
            [row.row.architecture for row in found.rows],
            [row.row.accuracy for row in found.rows],
        ),
    }


def _missing(found: Correlations) -> list[str]:
    items = [
        f"row {row.row.place}: {(row.candidate.outcome and row.candidate.outcome.error) or ''}"
        for row in found.failed
    ]
    items += [f"row {fault.place}, {fault.kind}: {fault.reason}" for fault in found.table.faults]
    return items[:_LISTED]
