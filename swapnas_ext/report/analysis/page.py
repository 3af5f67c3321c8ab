"""What the scores of a run tell, as elements of a page, and as a page of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from swapnas_ext.correlation import agreement, analysis, caveats
from swapnas_ext.measures import SATURATED
from swapnas_ext.report.analysis.text import (
    agreement_columns,
    best_columns,
    missing_lines,
    repeats_line,
    saturation_line,
)
from swapnas_ext.report.shared.charts import (
    draw_agreement,
    draw_operations,
    draw_repeats,
    draw_saturation,
    draw_sizes,
)
from swapnas_ext.report.shared.measured import other_measure
from swapnas_ext.report.shared.page import figure, html_table, page, paragraph

if TYPE_CHECKING:
    from swapnas_ext.correlation import OperationEffect, ScoredRun
    from swapnas_ext.search import Candidate


def analysis_parts(
    effects: Mapping[str, Sequence[OperationEffect]],
    candidates: Sequence[Candidate],
    repeats: int,
) -> list[str]:
    """Page elements that show what scores tell about a space, and how far they can be trusted.

    Args:
        effects: effects of operations, by the name of what they act on, such as "score".
        candidates: scored candidates, each canonical form once.
        repeats: how many repeats the scores are means of.
    """
    parts = ["<h2>What scores high</h2>"]
    known = {name: strongest for name, strongest in effects.items() if strongest}
    if known:
        caption = (
            "mean by how often an operation occurs, in standard deviations from the mean of all"
        )
        parts.append(figure(draw_operations(known), caption))
    alike = analysis.scored_alike(candidates)
    sizes = [(candidate.parameters, candidate.score) for candidate in alike]
    parts.append(figure(draw_sizes(sizes), "score against size"))
    parts.append("<h2>How far the score tells architectures apart</h2>")
    parts += [*_saturation(alike), _repeats(alike, repeats)]
    return [*parts, *_agreement(candidates, repeats)]


def _saturation(candidates: Sequence[Candidate]) -> list[str]:
    line = saturation_line(analysis.saturation(candidates))
    saturations = [
        min(1.0, candidate.outcome.saturation)
        for candidate in candidates
        if candidate.outcome is not None and candidate.outcome.saturation is not None
    ]
    if saturations:
        return [figure(draw_saturation(saturations, SATURATED), line)]
    return [paragraph(line)] if line else []


def _repeats(candidates: Sequence[Candidate], repeats: int) -> str:
    told = analysis.repeatability(candidates, repeats)
    line = repeats_line(told, repeats)
    return paragraph(line) if told is None else figure(draw_repeats(told), line)


def _agreement(candidates: Sequence[Candidate], repeats: int) -> list[str]:
    """How far several measures agree; nothing where there is one."""
    told = agreement(candidates, repeats)
    if told is None:
        return []
    best = best_columns(told)
    best["architecture"] = [f"<code>{escape(text)}</code>" for text in best["architecture"]]
    return [
        "<h2>Which measures agree</h2>",
        figure(draw_agreement(told), "Spearman's rho between the rankings"),
        html_table(
            {
                escape(heading): list(map(escape, cells))
                for heading, cells in agreement_columns(told).items()
            }
        ),
        html_table(best),
        *(paragraph(line) for line in missing_lines(told, len(candidates))),
    ]


def to_page(run: ScoredRun, effects: Sequence[OperationEffect]) -> str:
    """A page about one run, and the effects of operations on its scores."""
    measure = other_measure(run.candidates)
    parts = [paragraph(f"measured: {measure}")] if measure else []
    parts += [paragraph(line) for line in caveats(run.candidates)]
    parts += analysis_parts({"score": effects}, run.candidates, run.repeats)
    return page(f"Scores of {run.name}", parts)
