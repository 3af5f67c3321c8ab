"""How runs compare, as a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from swapnas_ext import spaces
from swapnas_ext._util import exp_or_inf
from swapnas_ext.report.comparison.charts import Band, Line, draw_bands, draw_lines
from swapnas_ext.report.comparison.contents import (
    Columns,
    cost_columns,
    front_columns,
    front_title,
    head,
    overlap_columns,
    plain,
    repeats_columns,
    result_columns,
    result_sentences,
    settings_columns,
    thinned,
)
from swapnas_ext.report.comparison.styles import group_styles, styles_of
from swapnas_ext.report.shared.axes import Axis
from swapnas_ext.report.shared.charts import Chart, LineStyle
from swapnas_ext.report.shared.measured import definition
from swapnas_ext.report.shared.names import short_name
from swapnas_ext.report.shared.page import Architecture, Table, page
from swapnas_ext.report.shared.text import spread
from swapnas_ext.search import COSTS

if TYPE_CHECKING:
    from swapnas_ext.search import BestSoFar, ComparedRun, Comparison, JointFront
    from swapnas_ext.spaces import SearchSpace

_OF_FRONT = 20
"""How many architectures of a joint front are listed."""
_BAND = 120
"""Places at which the mean and the range of repeats are computed."""
_LARGEST = 690.0
"""The largest logarithm of a score that charts show as a score."""
_NAMED = 3
"""Runs that the heading names."""
_WIDE_COSTS = 3.0


@dataclass(frozen=True)
class _Run:
    """A cell with the mark of a run and its name."""

    mark: LineStyle
    name: str


@dataclass(frozen=True)
class _Front:
    """A joint front, as a page shows it."""

    chart: Chart
    table: Table


def to_page(comparison: Comparison) -> str:
    """A page with the best scores, curves, fronts, the settings that differ, the overlap of the best, and cost."""
    styles = styles_of(comparison)
    results = result_columns(comparison)
    repeats = repeats_columns(comparison)
    curves = _curves(comparison, styles) if comparison.has_curves else []
    if comparison.has_curves:
        curves += _repeats_chart(comparison)
    name = comparison.space
    space = spaces.get(name) if name in spaces.names() else None
    fronts = [_front(comparison, front, styles, space) for front in comparison.fronts]
    names = [plain(run.name) for run in comparison.runs]
    others = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return page(
        "comparison.html",
        heading=f"{len(names)} runs compared: {', '.join(names[:_NAMED])}{others}",
        lead=head(comparison),
        charts=[*curves, *(front.chart for front in fronts)],
        definition=definition(comparison.measure) if comparison.measure else "",
        results=_marked("What each run found", results, comparison, styles) if results else None,
        repeats=Table("Best scores of repeats", repeats) if repeats else None,
        explained=result_sentences(comparison),
        curves=curves,
        differing=Table("Their values, by group of runs", settings_columns(comparison))
        if comparison.differing
        else None,
        cost=_marked("What each run cost", cost_columns(comparison), comparison, styles),
        overlap=_marked(
            f"How many of the best {comparison.top:,} of a run are among those of another",
            overlap_columns(comparison),
            comparison,
            styles,
        ),
        top=f"{comparison.top:,}",
        fronts=fronts,
        front_charts=[front.chart for front in fronts],
    )


def _marked(
    caption: str, columns: Columns, comparison: Comparison, styles: Mapping[str, LineStyle]
) -> Table:
    """A table with a row for each run, which begins with its mark."""
    cells: dict[str, Sequence[Any]] = dict(columns)
    cells["run"] = [
        _Run(styles[run.name], name)
        for run, name in zip(comparison.runs, columns["run"], strict=True)
    ]
    return Table(caption, cells)


def _curves(comparison: Comparison, styles: Mapping[str, LineStyle]) -> list[Chart]:
    charts = []
    for unit, curve_of in _CURVES.items():
        steps = [(run.name, *thinned(curve_of(run))) for run in comparison.runs]
        values, label = _shown([scores for _, _, scores in steps])
        lines = [
            Line(plain(name), styles[name], places, scores)
            for (name, places, _), scores in zip(steps, values, strict=True)
        ]
        x = Axis("x", unit, [], wide=float("inf"), zero=True)
        title = f"Best score so far, over {unit}"
        charts.append(draw_lines(f"over-{unit}", lines, x, Axis("y", label, []), title))
    return charts


def _repeats_chart(comparison: Comparison) -> list[Chart]:
    """The mean and the range of the repeats of each setting, as far as the shortest of them goes; nothing where there
    are none."""
    if not 1 < len(comparison.repeats) < len(comparison.runs):
        return []
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
                plain(group.name),
                style,
                places,
                [min(of) for of in at_each],
                [sum(of) / len(of) for of in at_each],
                [max(of) for of in at_each],
            )
        )
    if not bands:
        return []
    title = "Best score so far of each setting: mean, lowest and highest run"
    x, y = Axis("x", "candidates", [], wide=float("inf")), Axis("y", label, [])
    return [draw_bands("repeats", bands, x, y, title)]


def _front(
    comparison: Comparison,
    front: JointFront,
    styles: Mapping[str, LineStyle],
    space: SearchSpace | None,
) -> _Front:
    cost = COSTS[front.cost]
    is_size = cost is COSTS["parameters"]
    of_runs = [(name, points) for name, points in front.of_runs.items() if points]
    values, score = _shown([[log_score for _, log_score in points] for _, points in of_runs])
    listed = spread(front.joint, _OF_FRONT)
    anchors = [f"{front.cost}-{place}" for place in range(len(listed))]
    named = {(point.cost, point.log_score): point.architecture for point in front.joint}
    of_listed = {
        (point.cost, point.log_score): anchor for point, anchor in zip(listed, anchors, strict=True)
    }
    scale = 1.0 if is_size else cost.scale
    lines = [
        Line(
            plain(name),
            styles[name],
            [at / scale for at, _ in points],
            scores,
            [short_name(named.get(point, ""), space) for point in points],
            [of_listed.get(point, "") for point in points],
        )
        for (name, points), scores in zip(of_runs, values, strict=True)
    ]
    title = "parameters" if is_size else f"{cost.title}, {cost.unit}"
    x = Axis("x", title, [], "" if is_size else cost.unit, wide=_WIDE_COSTS)
    chart = draw_lines(
        f"front-{front.cost}",
        lines,
        x,
        Axis("y", score, []),
        f"Pareto fronts of {cost.title} and score",
    )
    columns: dict[str, Sequence[Any]] = dict(
        front_columns(comparison, front, _OF_FRONT, architectures=True)
    )
    columns["architecture"] = [
        Architecture(short_name(text, space), text) for text in columns["architecture"]
    ]
    first, *others = (heading for heading in columns if heading != "architecture")
    columns = {heading: columns[heading] for heading in (first, "architecture", *others)}
    table = Table(front_title(front, _OF_FRONT), columns, anchors)
    return _Front(chart, table)


def _shown(log_scores: Sequence[Sequence[float]]) -> tuple[list[list[float]], str]:
    """Scores for a chart and what its axis is called: their logarithms where a float does not hold one of them."""
    if all(abs(value) < _LARGEST for of_run in log_scores for value in of_run):
        return [[exp_or_inf(value) for value in of_run] for of_run in log_scores], "score"
    return [list(of_run) for of_run in log_scores], "ln score"


_CURVES: Mapping[str, Callable[[ComparedRun], BestSoFar]] = {
    "candidates": lambda run: run.over_candidates,
    "seconds": lambda run: run.over_seconds,
}
