"""What scores tell about a space: elements of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from swapnas_ext.correlation import analysis
from swapnas_ext.measures import SATURATED
from swapnas_ext.report.analysis.text import repeats_line, saturation_line
from swapnas_ext.report.shared.charts import (
    draw_operations,
    draw_repeats,
    draw_saturation,
    draw_sizes,
)
from swapnas_ext.report.shared.page import figure, page

if TYPE_CHECKING:
    from swapnas_ext.correlation import OperationEffect, Run
    from swapnas_ext.search import Candidate


def analysis_parts(
    effects: Mapping[str, Sequence[OperationEffect]],
    candidates: Sequence[Candidate],
    repeats: int,
) -> list[str]:
    """Of candidates that were scored, each form once, with so many repeats."""
    parts = ["<h2>What scores high</h2>"]
    if any(effects.values()):
        caption = (
            "mean by how often an operation occurs, in standard deviations from the mean of all"
        )
        parts.append(
            figure(draw_operations({name: told for name, told in effects.items() if told}), caption)
        )
    sizes = [(candidate.parameters, candidate.score) for candidate in candidates]
    parts.append(figure(draw_sizes(sizes), "score against size"))
    parts.append("<h2>How far the score tells architectures apart</h2>")
    saturations = [min(1.0, (c.outcome and c.outcome.saturation) or 0.0) for c in candidates]
    told = saturation_line(analysis.saturation(candidates))
    parts.append(figure(draw_saturation(saturations, SATURATED), told))
    repeatability = analysis.repeatability(candidates, repeats)
    line = repeats_line(repeatability)
    parts.append(
        figure(draw_repeats(repeatability), line) if repeatability else f"<p>{escape(line)}</p>"
    )
    return parts


def to_page(run: Run, effects: Sequence[OperationEffect]) -> str:
    """Of one run, and the effects of operations on its scores."""
    parts = analysis_parts({"score": effects}, run.candidates, run.repeats)
    return page(f"Scores of {run.name}", parts)
