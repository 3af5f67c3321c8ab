"""Charts of scores, drawn with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from swapnas_ext.report.shared.drawing import ACCENT, INK, MUTED

if TYPE_CHECKING:
    from swapnas_ext.correlation import Agreement, OperationEffect, Repeatability

_WIDE = 50.0
"""Axes of scores are logarithmic where the highest is so many times the lowest."""
_MANY = 5000
"""With more points, a picture of them takes less room than the points themselves."""


def draw_curve(points: Sequence[tuple[int, float]], scores: Sequence[tuple[int, float]]) -> Figure:
    """The score of each candidate, and the best score so far, by the number of the candidate.

    Args:
        points: the best scores so far.
        scores: the scores of all candidates.
    """
    figure, axes = _axes("candidates", "score")
    axes.scatter(
        *_columns(scores), s=5, color=MUTED, alpha=0.5, lw=0, rasterized=len(scores) > _MANY
    )
    axes.step(*_columns(points), where="post", color=ACCENT, lw=1.6)
    return figure


def draw_sizes(
    scores: Sequence[tuple[int, float]],
    front: Sequence[tuple[int, float]] = (),
    chosen: Sequence[tuple[int, float]] = (),
) -> Figure:
    """Unregularised scores against numbers of parameters, with the Pareto front and the chosen architectures."""
    millions = [[(size / 1e6, score) for size, score in rows] for rows in (scores, front, chosen)]
    return draw_front(*millions, cost="parameters, millions")


def draw_front(
    scores: Sequence[tuple[float, float]],
    front: Sequence[tuple[float, float]] = (),
    chosen: Sequence[tuple[float, float]] = (),
    *,
    cost: str,
) -> Figure:
    """Scores against costs, with the Pareto front and the chosen architectures: pairs of a cost and a score.

    Args:
        cost: what the axis of costs is called.
    """
    figure, axes = _axes(cost, "score")
    axes.scatter(
        *_columns(scores), s=5, color=MUTED, alpha=0.5, lw=0, rasterized=len(scores) > _MANY
    )
    if front:
        axes.step(*_columns(front), where="post", color=INK, lw=1.2, label="Pareto front")
    if chosen:
        axes.scatter(*_columns(chosen), s=45, color=ACCENT, marker="*", zorder=3, label="best")
        axes.legend(frameon=False, fontsize=8)
    return figure


@dataclass(frozen=True)
class LineStyle:
    """A colour, and the lengths of dashes and gaps in points; without any the line is solid."""

    color: str
    dashes: tuple[int, ...] = ()

    @property
    def linestyle(self) -> str | tuple[int, tuple[int, ...]]:
        return (0, self.dashes) if self.dashes else "solid"


@dataclass(frozen=True)
class Line:
    """A line of steps."""

    style: LineStyle
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass(frozen=True)
class Band:
    """A line with a range around it."""

    style: LineStyle
    xs: Sequence[float]
    lows: Sequence[float]
    means: Sequence[float]
    highs: Sequence[float]


def draw_lines(lines: Sequence[Line], x: str, y: str, *, from_zero: bool = False) -> Figure:
    """Lines of steps, such as the best score so far of several runs, or their Pareto fronts.

    Args:
        from_zero: whether the x axis begins at 0.
    """
    figure, axes = _axes(x, y)
    for line in lines:
        axes.step(
            line.xs,
            line.ys,
            where="post",
            color=line.style.color,
            ls=line.style.linestyle,
            lw=1.4,
            marker="o" if len(line.xs) == 1 else None,
            ms=4,
        )
    _scale_scores(axes, [y for line in lines for y in line.ys])
    if from_zero:
        axes.set_xlim(left=0)
    return figure


def draw_bands(bands: Sequence[Band], x: str, y: str) -> Figure:
    """Lines with ranges around them, such as means of repeats."""
    figure, axes = _axes(x, y)
    for band in bands:
        style = band.style
        axes.fill_between(band.xs, band.lows, band.highs, color=style.color, alpha=0.18, lw=0)
        axes.plot(band.xs, band.means, color=style.color, ls=style.linestyle, lw=1.6)
    _scale_scores(axes, [y for band in bands for y in (*band.lows, *band.highs)])
    return figure


def _scale_scores(axes: Axes, ys: Sequence[float]) -> None:
    if ys and min(ys) > 0 and max(ys) > _WIDE * min(ys):
        axes.set_yscale("log")


def _axes(x: str, y: str, width: float = 5.6) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, 3.6))
    axes = figure.add_subplot()
    axes.set_xlabel(x, parse_math=False)
    axes.set_ylabel(y, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes


def _columns(rows: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in rows], [y for _, y in rows]


def draw_scatter(values: Sequence[float], accuracies: Sequence[float], x: str, y: str) -> Figure:
    """The values of a predictor against accuracies: a point for each architecture.

    Args:
        x, y: what the axes are called.
    """
    figure, axes = _axes(x, y, width=4.4)
    axes.scatter(
        values, accuracies, s=6, color=ACCENT, alpha=0.4, lw=0, rasterized=len(values) > _MANY
    )
    return figure


def draw_operations(groups: Mapping[str, Sequence[OperationEffect]], shown: int = 12) -> Figure:
    """How far architectures are above or below the mean, by how often an operation occurs in them.

    There is a line of panels for each group, such as score and accuracy. Its panels are the strongest operations of
    the first group, strongest first.
    """
    strongest = [effect.operation for effect in next(iter(groups.values()))[:shown]]
    figure = Figure(figsize=(1.1 * max(4, len(strongest)) + 1, 1.9 * len(groups) + 0.7))
    panels = figure.subplots(len(groups), len(strongest), sharey="row", squeeze=False)
    for line, (name, effects) in zip(panels, groups.items(), strict=True):
        by_name = {effect.operation: effect for effect in effects}
        line[0].set_ylabel(f"{name}, std", parse_math=False)
        for axes, operation in zip(line, strongest, strict=True):
            axes.axhline(0, color=MUTED, lw=0.8)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=7)
            if operation in by_name:
                effect = by_name[operation]
                axes.plot(effect.counts, effect.means, color=ACCENT, marker="o", ms=3, lw=1.2)
                axes.set_xticks([effect.counts[0], effect.counts[-1]])
    for axes, operation in zip(panels[0], strongest, strict=True):
        title = operation.replace(" ", "\n", 1)
        axes.set_title(title, fontsize=7, color=INK, parse_math=False)
    return figure


def draw_saturation(saturations: Sequence[float], limit: float) -> Figure:
    """How many architectures have which saturation. Beyond the limit, scores can't tell architectures apart."""
    figure, axes = _axes("saturation", "architectures", width=4.4)
    axes.hist(saturations, bins=[step / 40 for step in range(41)], color=MUTED)
    axes.axvline(limit, color=ACCENT, lw=1.2)
    return figure


def draw_repeats(told: Repeatability) -> Figure:
    """The expected agreement of two rankings, by the number of repeats."""
    figure, axes = _axes("repeats", "agreement of two rankings", width=4.4)
    most = max(2 * told.repeats, 32)
    repeats = list(range(1, most + 1))
    axes.plot(repeats, [told.agreement_of(count) for count in repeats], color=ACCENT, lw=1.6)
    axes.set_ylim(top=1.0)
    return figure


def draw_agreement(told: Agreement) -> Figure:
    """Spearman's rho of each measure with each, as a map."""
    side = 0.55 * len(told.titles) + 1.6
    figure = Figure(figsize=(side, side))
    axes = figure.add_subplot()
    axes.imshow(np.array(told.rho), vmin=-1, vmax=1, cmap="RdBu")
    places = range(len(told.titles))
    axes.set_xticks(places, told.titles, rotation=60, ha="right", fontsize=8, parse_math=False)
    axes.set_yticks(places, told.titles, fontsize=8, parse_math=False)
    axes.spines[:].set_visible(False)
    for y, line in enumerate(told.rho):
        for x, rho in enumerate(line):
            if not math.isnan(rho):
                color = "white" if abs(rho) > 0.6 else INK
                axes.text(x, y, f"{rho:.2f}", ha="center", va="center", fontsize=7, color=color)
    return figure
