"""What a search found, as a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from swapnas_ext.correlation import caveats
from swapnas_ext.report.search.contents import (
    best_so_far,
    columns,
    distinct_columns,
    front_columns,
    head,
    precision,
    score_text,
    shown_rows,
)
from swapnas_ext.report.search.failures import grouped_failures
from swapnas_ext.report.shared.axes import Axis
from swapnas_ext.report.shared.charts import Chart, Dots, draw_curve, draw_front
from swapnas_ext.report.shared.drawing import draw_graph
from swapnas_ext.report.shared.measured import definition
from swapnas_ext.report.shared.names import short_name
from swapnas_ext.report.shared.page import (
    Architecture,
    DataSet,
    Table,
    date_text,
    page,
    settings_text,
)
from swapnas_ext.report.shared.text import spread
from swapnas_ext.search import COSTS, cost_of

if TYPE_CHECKING:
    from swapnas_ext.search import Distinct, Ranked, SearchResult
    from swapnas_ext.spaces import SearchSpace

_DRAWN = 3
"""How many architectures are drawn."""
_FRONT = 100
"""How many architectures of the front are listed."""
_FAILURES = 100
"""How many failures are listed."""
_DOTS = 2000
"""Candidates that charts show; of more, all of the tables and of the curve, and of others evenly chosen ones."""
_WIDE_COSTS = 3.0
_WIDE_DRAWING = 640
"""Pixels from which on a drawing does not stand beside the facts, but below."""


def to_page(
    result: SearchResult,
    about: dict[str, Any],
    space: SearchSpace | None,
    *,
    top: int,
    distinct: Sequence[Distinct] | None = None,
    name: str = "",
) -> str:
    """A page with the best architecture, the course of the search, scores by cost, the best architectures, failures and
    settings.

    Architectures are drawn, and written in the formats of other code bases, where their ``space`` is known. Of
    architectures that are alike, the table then has only the best.

    Args:
        distinct: what the table has; by default the best groups of alike architectures.
        name: of the run.
    """
    rows, targets = shown_rows(result, top)
    if distinct is None and not targets and rows and result.space is not None:
        distinct = result.distinct(top)
    if distinct is not None:
        rows = [group.ranked for group in distinct]
        cells = distinct_columns(distinct)
    else:
        cells = columns(rows, targets)
    heading = f"Search of {about['settings']['space']['name']}"
    content: dict[str, Any] = {
        "heading": f"{heading}: {name}" if name else heading,
        "lead": [*head(result, about), _when(about)],
        "about": about.get("started"),
        "notes": caveats(result.ranked()),
        "failures": _failures_table(result, space) if result.failed else None,
        "settings": settings_text(about),
    }
    if not rows:
        return page("search.html", best=None, **content)
    labels = (
        [f"for {size}:" for size in cells["wanted"]]
        if targets
        else [f"#{rank}" for rank in cells["rank"]]
    )
    shown = _Shown(result, rows, labels, space)
    listed = _table(cells, rows, space, bool(distinct), bool(targets))
    front = None
    if shown.has_objective:
        of_front = spread(result.front, _FRONT)
        front = Table(
            f"The Pareto front, the lowest {shown.cost.title} first",
            _named(front_columns(of_front, result.objective), of_front, space),
            [f"front-{row.candidate.number}" for row in of_front],
        )
    in_front = front.ids if front else ()
    charts = shown.charts(in_front)
    return page(
        "search.html",
        charts=charts,
        sets=[shown.data_set(in_front)],
        best=_best(labels[0], rows[0], space, shown),
        definition=_score_definition(result, rows),
        several=charts,
        table=listed,
        front=front,
        front_title=shown.cost.title,
        precision=precision(result),
        others=[
            _drawn(labels[place], rows[place], space, f"drawing-{place}")
            for place in range(1, min(_DRAWN, len(rows)))
        ],
        **content,
    )


def _when(about: dict[str, Any]) -> str:
    started = about.get("started")
    if started is None:
        return ""
    sessions = about.get("sessions") or []
    times = f", in {len(sessions)} sessions" if len(sessions) > 1 else ""
    return f"started {date_text(started)}{times}"


class _Shown:
    """What charts show of a search."""

    def __init__(
        self,
        result: SearchResult,
        rows: Sequence[Ranked],
        labels: Sequence[str],
        space: SearchSpace | None,
    ) -> None:
        self._result, self._rows, self._labels, self._space = result, rows, labels, space
        self.cost = cost_of(result.objective)
        self.has_objective = bool((result.settings.get("search") or {}).get("objective"))
        self.by_number = sorted(result.ranked(), key=lambda row: row.candidate.number)
        self._curve = best_so_far(result)
        self._front = result.front
        self.is_regularised = any(row.log_factor for row in self.by_number)

    def cost_of(self, row: Ranked) -> float | None:
        value = self.cost.recorded(row.candidate)
        if value is None or self.cost is COSTS["parameters"]:
            return value
        return value / self.cost.scale

    def score_in_front(self, row: Ranked) -> float:
        """Without an objective, a front is of scores before size control."""
        return row.score if self.has_objective else row.candidate.score

    @cached_property
    def _dots(self) -> list[Ranked]:
        if len(self.by_number) <= _DOTS:
            return self.by_number
        needed = {row.candidate.number for row in (*self._rows, *self._front)}
        needed |= {number for number, _ in self._curve}
        chosen = [row for row in self.by_number if row.candidate.number in needed]
        others = [row for row in self.by_number if row.candidate.number not in needed]
        chosen += spread(others, max(0, _DOTS - len(chosen)))
        return sorted(chosen, key=lambda row: row.candidate.number)

    @property
    def _told(self) -> dict[str, str]:
        told = {"score": "score", "cost": self._cost_title}
        if not self.has_objective and self.is_regularised:
            told["raw"] = "unregularised"
        if self.cost is not COSTS["parameters"]:
            told["parameters"] = "parameters"
        return told | {"number": "candidate"}

    @property
    def _cost_title(self) -> str:
        if self.cost is COSTS["parameters"]:
            return "parameters"
        return f"{self.cost.title}, {self.cost.unit}"

    def _anchors(self, in_front: Sequence[str]) -> dict[int, str]:
        """Anchors of rows in the table of the best, or else in that of the front, by candidate."""
        anchors = {row.candidate.number: f"row-{row.candidate.number}" for row in self._rows}
        for anchor in in_front:
            anchors.setdefault(int(anchor.rpartition("-")[2]), anchor)
        return anchors

    def data_set(self, in_front: Sequence[str]) -> DataSet:
        """The dots, with the anchors of their rows.

        Args:
            in_front: anchors of the table of the front.
        """
        anchors = self._anchors(in_front)
        labels = {
            row.candidate.number: label for label, row in zip(self._labels, self._rows, strict=True)
        }
        rows = self._dots
        numbers = [row.candidate.number for row in rows]
        names = [short_name(row.architecture, self._space) for row in rows]
        fields: dict[str, Sequence[Any]] = {
            "number": numbers,
            "name": [
                f"{labels[number]} {name}" if number in labels else name
                for number, name in zip(numbers, names, strict=True)
            ],
            "score": [row.score for row in rows],
            "cost": [self.cost_of(row) for row in rows],
            "row": [anchors.get(number, "") for number in numbers],
            "architecture": [row.architecture for row in rows],
        }
        if "raw" in self._told:
            fields["raw"] = [row.candidate.score for row in rows]
        if "parameters" in self._told:
            fields["parameters"] = [row.parameters for row in rows]
        return DataSet("candidates", fields, self._told)

    def charts(self, in_front: Sequence[str]) -> list[Chart]:
        rows = self._dots
        number = Axis("number", "candidate", [row.candidate.number for row in rows])
        score = Axis("score", "score", [row.score for row in rows], trims=True)
        costs = [cost for cost in map(self.cost_of, rows) if cost is not None]
        unit = "" if self.cost is COSTS["parameters"] else self.cost.unit
        cost = Axis("cost", self._cost_title, costs, unit, wide=_WIDE_COSTS)
        of_front = score
        if not self.has_objective and self.is_regularised:
            raw = [row.candidate.score for row in rows]
            of_front = Axis("raw", "unregularised score", raw, trims=True)
        front = [
            (at, self.score_in_front(row))
            for row in self._front
            if (at := self.cost_of(row)) is not None
        ]
        told = self._told
        all_listed = {row.candidate.number for row in rows} <= set(self._anchors(in_front))
        curve = draw_curve(
            Dots("candidates", number, score, told, all_listed),
            self._curve,
            "in the table",
        )
        return [
            self._noted(curve, score),
            self._noted(
                draw_front(
                    Dots("candidates", cost, of_front, told, all_listed),
                    front,
                    "in the table",
                    self.cost.title,
                ),
                of_front,
            ),
        ]

    def _noted(self, chart: Chart, scores: Axis) -> Chart:
        """Tells what is not shown."""
        notes = []
        if len(self._dots) < len(self.by_number):
            notes.append(f"{len(self._dots):,} of {len(self.by_number):,} candidates are shown")
        if scores.infinite:
            notes.append(f"{scores.infinite:,} too high for the axis")
        if scores.hidden:
            notes.append(f"{scores.hidden:,} much lower not shown")
        return replace(chart, note=f"({'; '.join(notes)})" if notes else "")


def _score_definition(result: SearchResult, rows: Sequence[Ranked]) -> str:
    told = definition(rows[0].candidate.score_of)
    controls = result.controls
    if any(row.log_factor for row in rows) and len(controls) == 1:
        control = controls[0]
        told += (
            f" It is regularised by size: times exp(-(size - mu)^2 / sigma), the size in thousands of parameters, mu "
            f"{control.mu:.6g}, sigma {control.sigma:.6g}."
        )
    return told


def _best(label: str, row: Ranked, space: SearchSpace | None, shown: _Shown) -> dict[str, Any]:
    facts = {"score": score_text(row), "parameters": f"{row.parameters:,}"}
    if shown.cost is not COSTS["parameters"]:
        value = shown.cost.recorded(row.candidate)
        facts[shown.cost.title] = "-" if value is None else shown.cost.text(value)
    facts["candidate"] = f"{row.candidate.number:,}"
    drawn = _drawn(label, row, space, "drawing-0")
    is_wide = any(drawing.width > _WIDE_DRAWING for drawing in drawn["drawings"])
    return {"facts": facts, "is_wide": is_wide, **drawn}


def _drawn(label: str, row: Ranked, space: SearchSpace | None, key: str) -> dict[str, Any]:
    """An architecture with its drawings and formats."""
    drawings = [] if space is None else space.graphs(row.architecture)
    name = short_name(row.architecture, space)
    return {
        "title": f"{label} {name}",
        "architecture": Architecture(name, row.architecture),
        "score": score_text(row),
        "parameters": f"{row.parameters:,}",
        "drawings": [draw_graph(graph, f"{key}-{place}") for place, graph in enumerate(drawings)],
        "formats": {} if space is None else space.formats(row.architecture),
    }


def _named(
    cells: dict[str, list[str]], rows: Sequence[Ranked], space: SearchSpace | None
) -> dict[str, list[Any]]:
    """Columns with short names instead of whole architectures, behind the first column."""
    first, *others = (heading for heading in cells if heading != "architecture")
    named: dict[str, list[Any]] = {first: list(cells[first])}
    named["architecture"] = [
        Architecture(short_name(row.architecture, space), row.architecture) for row in rows
    ]
    return named | {heading: list(cells[heading]) for heading in others}


def _table(
    cells: dict[str, list[str]],
    rows: Sequence[Ranked],
    space: SearchSpace | None,
    is_distinct: bool,
    is_family: bool,
) -> Table:
    numbers = [row.candidate.number for row in rows]
    ids = [
        f"row-{number}" if number not in numbers[:place] else ""  # one may be the best for several
        for place, number in enumerate(numbers)
    ]
    if is_family:
        caption = "The best architecture for each wanted size"
    elif is_distinct:
        caption = (
            "The best architectures; of those that are alike only the best, with its rank among all"
        )
    else:
        caption = "The best architectures"
    return Table(caption, _named(cells, rows, space), ids)


def _failures_table(result: SearchResult, space: SearchSpace | None) -> Table:
    groups = grouped_failures(result.failed)[:_FAILURES]
    return Table(
        "Candidates without a score, by the reason",
        {
            "candidates": [f"{group.count:,}" for group in groups],
            "first of them": [
                Architecture(short_name(group.architecture, space), group.architecture)
                for group in groups
            ],
            "reason": [group.error for group in groups],
        },
    )
