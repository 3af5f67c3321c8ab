"""What the scores of a run tell, as parts of a page, and as a page of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from swapnas_ext.correlation import agreement, analysis, caveats
from swapnas_ext.measures import SATURATED
from swapnas_ext.report.analysis.charts import (
    draw_agreement,
    draw_operations,
    draw_repeats,
    draw_saturation,
)
from swapnas_ext.report.analysis.text import (
    agreement_columns,
    best_columns,
    missing_lines,
    repeats_line,
    saturation_line,
)
from swapnas_ext.report.shared.axes import Axis
from swapnas_ext.report.shared.charts import Chart, Dots, draw_sizes
from swapnas_ext.report.shared.measured import definition, other_measure
from swapnas_ext.report.shared.names import short_name
from swapnas_ext.report.shared.page import Architecture, DataSet, Table, page
from swapnas_ext.report.shared.text import spread

if TYPE_CHECKING:
    from swapnas_ext.correlation import OperationEffect, ScoredRun
    from swapnas_ext.search import Candidate
    from swapnas_ext.spaces import SearchSpace

_DOTS = 1000
"""Architectures that a chart shows; of more, evenly chosen ones."""
_BEST = 10
"""How many of the best are listed."""
_WIDE_SIZES = 3.0


@dataclass(frozen=True)
class AnalysisParts:
    """What a page shows of what scores tell about a space, and how far they can be trusted.

    Attributes:
        operations: charts of what scores high.
        trust: charts and sentences about saturation and repeats.
        agreement: a chart of how far several measures agree; empty where there is one.
        tables: about that agreement.
        lines: sentences about it.
        sets: what the charts draw.
    """

    operations: Sequence[Chart]
    trust: Sequence[Chart]
    trust_lines: Sequence[str]
    agreement: Sequence[Chart]
    tables: Sequence[Table]
    lines: Sequence[str]
    sets: Sequence[DataSet] = field(default=())

    @property
    def charts(self) -> list[Chart]:
        return [*self.operations, *self.trust, *self.agreement]


def analysis_parts(
    effects: Mapping[str, Sequence[OperationEffect]],
    candidates: Sequence[Candidate],
    repeats: int,
    space: SearchSpace | None = None,
    anchors: Mapping[int, str] | None = None,
) -> AnalysisParts:
    """What scores tell about a space, and how far they can be trusted.

    Args:
        effects: effects of operations, by the name of what they act on, such as "score".
        candidates: scored candidates, each canonical form once.
        repeats: how many repeats the scores are means of.
        space: gives architectures short names.
        anchors: of the rows of a table in which candidates stand, by their numbers.
    """
    operations = [
        draw_operations(name, strongest) for name, strongest in effects.items() if strongest
    ]
    alike = analysis.scored_alike(candidates)
    sets = []
    if alike:
        shown = spread(alike, _DOTS)
        sets.append(_sizes(shown, space, anchors or {}))
        some = f"({len(shown):,} of {len(alike):,} are shown)" if len(shown) < len(alike) else ""
        operations.append(_sizes_chart(shown, some))
    trust, lines = _trust(alike, repeats)
    told = agreement(candidates, repeats)
    tables: list[Table] = []
    if told is not None:
        best = dict[str, Sequence[Any]](best_columns(told))
        best["architecture"] = [
            Architecture(short_name(text, space), text) for text in best["architecture"]
        ]
        tables = [
            Table("How far each measure can be trusted", agreement_columns(told)),
            Table("The architecture that is best by each measure", best),
        ]
    return AnalysisParts(
        operations,
        trust,
        lines,
        [] if told is None else [draw_agreement(told)],
        tables,
        [] if told is None else missing_lines(told, len(candidates)),
        sets,
    )


def _trust(alike: Sequence[Candidate], repeats: int) -> tuple[list[Chart], list[str]]:
    """Charts of saturation and of repeats, and sentences where there is nothing to draw."""
    charts, lines = [], []
    line = saturation_line(analysis.saturation(alike))
    saturations = [
        min(1.0, candidate.outcome.saturation)
        for candidate in alike
        if candidate.outcome is not None and candidate.outcome.saturation is not None
    ]
    if saturations:
        charts.append(draw_saturation(saturations, SATURATED, _after_colon(line)))
    elif line:
        lines.append(line)
    told = analysis.repeatability(alike, repeats)
    line = repeats_line(told, repeats)
    if told is None:
        lines.append(line)
    else:
        charts.append(draw_repeats(told, _after_colon(line)))
    return charts, lines


def _after_colon(line: str) -> str:
    """A line without the word that it begins with, which the title of the chart has."""
    return line.partition(": ")[2]


def _sizes(
    shown: Sequence[Candidate], space: SearchSpace | None, anchors: Mapping[int, str]
) -> DataSet:
    fields: dict[str, Sequence[Any]] = {
        "name": [short_name(candidate.architecture, space) for candidate in shown],
        "score": [candidate.score for candidate in shown],
        "parameters": [candidate.parameters for candidate in shown],
        "row": [anchors.get(candidate.number, "") for candidate in shown],
        "architecture": [candidate.architecture for candidate in shown],
    }
    return DataSet("scored", fields, {"score": "score", "parameters": "parameters"})


def _sizes_chart(shown: Sequence[Candidate], note: str) -> Chart:
    sizes = Axis(
        "parameters",
        "parameters",
        [candidate.parameters for candidate in shown],
        wide=_WIDE_SIZES,
    )
    scores = Axis("score", "score", [candidate.score for candidate in shown], trims=True)
    if scores.hidden:
        note = f"{note} ({scores.hidden:,} much lower not shown)".strip()
    told = {"score": "score", "parameters": "parameters"}
    chart = draw_sizes(Dots("scored", sizes, scores, told), "Score against size")
    return replace(chart, note=note)


def to_page(
    run: ScoredRun, effects: Sequence[OperationEffect], space: SearchSpace | None = None
) -> str:
    """A page about one run, and the effects of operations on its scores.

    Args:
        space: gives architectures short names.
    """
    best = sorted(analysis.scored_alike(run.candidates), key=lambda one: -one.log_score)[:_BEST]
    anchors = {candidate.number: f"row-{candidate.number}" for candidate in best}
    parts = analysis_parts({"score": effects}, run.candidates, run.repeats, space, anchors)
    measure = other_measure(run.candidates)
    lead = [f"{len(run.candidates):,} architectures, {run.samples} samples, {run.repeats} repeats"]
    if measure:
        lead.append(f"measured: {measure}")
    table = Table(
        "The architectures with the highest scores",
        {
            "rank": [str(rank) for rank in range(1, len(best) + 1)],
            "architecture": [
                Architecture(short_name(one.architecture, space), one.architecture) for one in best
            ],
            "score": [f"{one.score:.6g}" for one in best],
            "params": [f"{one.parameters:,}" for one in best],
        },
        list(anchors.values()),
    )
    return page(
        "analysis.html",
        heading=f"Scores of {run.name}",
        lead=lead,
        charts=parts.charts,
        sets=parts.sets,
        notes=caveats(run.candidates),
        definition=definition(best[0].score_of) if best else "",
        parts=parts,
        table=table,
    )
