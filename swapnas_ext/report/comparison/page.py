"""How runs compare, as a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from swapnas_ext._util import exp_or_inf
from swapnas_ext.report.comparison.contents import (
    Columns,
    cost_columns,
    front_columns,
    front_title,
    head,
    overlap_columns,
    plain,
    reached_sentence,
    repeats_columns,
    result_columns,
    settings_columns,
    thinned,
)
from swapnas_ext.report.comparison.styles import group_styles, styles_of
from swapnas_ext.report.shared.charts import Band, Line, LineStyle, draw_bands, draw_lines
from swapnas_ext.report.shared.page import figure, html_table, page, paragraph
from swapnas_ext.search import COSTS

if TYPE_CHECKING:
    from swapnas_ext.search import BestSoFar, ComparedRun, Comparison, JointFront

_OF_FRONT = 20
"""How many architectures of a joint front are listed."""
_BAND = 120
"""Places at which the mean and the range of repeats are computed."""
_LARGEST = 690.0
"""The largest logarithm of a score that charts show as a score."""


def to_page(comparison: Comparison) -> str:
    """A page with the settings that differ, curves, fronts, the overlap of the best, and cost."""
    styles = styles_of(comparison)
    parts = [*map(paragraph, head(comparison)), _legend(styles)]
    if comparison.differing:
        parts.append(f"<h2>Settings that differ</h2>{_table(settings_columns(comparison))}")
    repeats = repeats_columns(comparison)
    if repeats:
        parts.append(f"<h2>Best scores of repeats</h2>{_table(repeats)}")
    results = result_columns(comparison)
    if results:
        parts.append(f"<h2>Results</h2>{_marked_table(results, comparison, styles)}")
    if comparison.has_curves:
        parts += [paragraph(reached_sentence(comparison)), _charts(comparison, styles)]
    parts.append(f"<h2>Cost</h2>{_marked_table(cost_columns(comparison), comparison, styles)}")
    overlap = _marked_table(overlap_columns(comparison), comparison, styles)
    parts.append(f"<h2>Shared architectures of the best {comparison.top:,}</h2>{overlap}")
    parts += [_front(comparison, front, styles) for front in comparison.fronts]
    return page("SWAP-NAS runs compared", parts)


def _legend(styles: Mapping[str, LineStyle]) -> str:
    items = "".join(
        f'<span style="white-space:nowrap;margin-right:1.2em">{_mark(style)} {escape(plain(name))}</span> '
        for name, style in styles.items()
    )
    return f"<p>{items}</p>"


def _mark(style: LineStyle) -> str:
    dashes = " ".join(map(str, style.dashes)) or "none"
    return (
        '<svg width="28" height="8" style="vertical-align:middle"><line x1="0" y1="4" x2="28" y2="4" '
        f'stroke="{style.color}" stroke-width="2.5" stroke-dasharray="{dashes}"/></svg>'
    )


def _table(columns: Columns) -> str:
    return html_table(
        {escape(heading): [escape(cell) for cell in cells] for heading, cells in columns.items()}
    )


def _marked_table(columns: Columns, comparison: Comparison, styles: Mapping[str, LineStyle]) -> str:
    """A table with a row for each run, which begins with its mark."""
    names = [run.name for run in comparison.runs]
    marks = [_mark(styles[name]) for name in names]
    cells = {
        escape(heading): [escape(cell) for cell in of_heading]
        for heading, of_heading in columns.items()
    }
    cells["run"] = [f"{mark} {cell}" for mark, cell in zip(marks, cells["run"], strict=True)]
    return html_table(cells)


def _charts(comparison: Comparison, styles: Mapping[str, LineStyle]) -> str:
    parts = []
    for unit, curve_of in _CURVES.items():
        steps = [(run.name, *thinned(curve_of(run))) for run in comparison.runs]
        values, label = _shown([scores for _, _, scores in steps])
        lines = [
            Line(styles[name], places, scores)
            for (name, places, _), scores in zip(steps, values, strict=True)
        ]
        drawn = draw_lines(lines, unit, label, from_zero=True)
        parts.append(figure(drawn, f"best score so far, over {unit}"))
    if 1 < len(comparison.repeats) < len(comparison.runs):
        parts.append(_repeats_chart(comparison))
    return "<h2>Best so far</h2>" + "".join(parts)


def _repeats_chart(comparison: Comparison) -> str:
    """The mean and the range of the repeats of each setting, as far as the shortest of them goes."""
    runs = {run.name: run for run in comparison.runs}
    styles = group_styles(comparison)
    bands = []
    for group, style in zip(comparison.repeats, styles, strict=True):
        curves = [runs[name].over_candidates for name in group.runs]
        if not all(curve.at for curve in curves):
            continue
        first, last = max(c.at[0] for c in curves), min(c.at[-1] for c in curves)
        places = [first + (last - first) * step / _BAND for step in range(_BAND + 1)]
        scores = [[curve.value_at(place) for place in places] for curve in curves]
        shown, label = _shown(scores)
        at_each = list(zip(*shown, strict=True))
        bands.append(
            Band(
                style,
                places,
                [min(of) for of in at_each],
                [sum(of) / len(of) for of in at_each],
                [max(of) for of in at_each],
            )
        )
    if not bands:
        return ""
    legend = _legend(
        {group.name: style for group, style in zip(comparison.repeats, styles, strict=True)}
    )
    caption = (
        "best score so far of each setting: mean, and range from the lowest to the highest run"
    )
    return figure(draw_bands(bands, "candidates", label), caption) + legend


def _front(comparison: Comparison, front: JointFront, styles: Mapping[str, LineStyle]) -> str:
    cost = COSTS[front.cost]
    of_runs = [(name, points) for name, points in front.of_runs.items() if points]
    values, score = _shown([[log_score for _, log_score in points] for _, points in of_runs])
    lines = [
        Line(styles[name], [at / cost.scale for at, _ in points], scores)
        for (name, points), scores in zip(of_runs, values, strict=True)
    ]
    cells = _table(front_columns(comparison, front, _OF_FRONT, architectures=True))
    drawn = figure(
        draw_lines(lines, f"{cost.title}, {cost.unit}", score),
        f"Pareto fronts of {cost.title} and score",
    )
    listed = f"<details><summary>{escape(front_title(front, _OF_FRONT))}</summary>{cells}</details>"
    return f"<h2>Score against {cost.title}</h2>{drawn}{listed}"


def _shown(log_scores: Sequence[Sequence[float]]) -> tuple[list[list[float]], str]:
    """Scores for a chart and what its axis is called: their logarithms where a float does not hold one of them."""
    if all(abs(value) < _LARGEST for of_run in log_scores for value in of_run):
        return [[exp_or_inf(value) for value in of_run] for of_run in log_scores], "score"
    return [list(of_run) for of_run in log_scores], "ln score"


_CURVES: Mapping[str, Callable[[ComparedRun], BestSoFar]] = {
    "candidates": lambda run: run.over_candidates,
    "seconds": lambda run: run.over_seconds,
}
