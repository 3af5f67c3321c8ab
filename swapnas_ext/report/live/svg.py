"""Small charts as SVG, drawn in a millisecond: a live page is drawn again and again beside a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import NamedTuple

from swapnas_ext.report.shared.axes import Axis, number_text, ticks
from swapnas_ext.report.shared.page import visible

Point = tuple[float, float]

_WIDTH, _HEIGHT = 520.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 12.0, 12.0, 40.0
_APART = 52.0
"""Between the middles of two numbers below the chart, at least."""


class Linked(NamedTuple):
    """A point that has a name, and leads to the row with its anchor."""

    x: float
    y: float
    name: str
    anchor: str


def draw_chart(
    points: Sequence[Point],
    steps: Sequence[Point],
    *,
    x: Axis,
    y: Axis,
    linked: Sequence[Linked] = (),
) -> str:
    """A chart with points, and a line of steps: after each of ``steps``, the line stays at its height.

    Colours come from the classes ``points``, ``steps``, ``axis``, ``label`` and ``best`` of the page.

    Args:
        x, y: axes; their fields and values are not used.
        linked: points with a name, which lead to their rows.
    """
    points, steps = list(filter(_is_finite, points)), list(filter(_is_finite, steps))
    if not points and not steps:
        return ""
    low = replace(y, values=[one[1] for one in points or steps]).shown[0]
    points = [one for one in points if one[1] >= low]
    steps = [(a, max(b, low)) for a, b in steps]
    heights = replace(y, values=[one[1] for one in (*points, *steps)], trims=False)
    across = _Scale(
        replace(x, values=[one[0] for one in (*points, *steps)]), _LEFT, _WIDTH - _RIGHT
    )
    up = _Scale(heights, _HEIGHT - _BOTTOM, _TOP)
    dots = "".join(f"M{across.at(a):.1f} {up.at(b):.1f}h0" for a, b in points)
    line = ""
    for place, (a, b) in enumerate(steps):
        line += (
            f"H{across.at(a):.1f}V{up.at(b):.1f}"
            if place
            else f"M{across.at(a):.1f} {up.at(b):.1f}"
        )
    grid = "".join(f"M{_LEFT} {up.at(tick):.1f}H{_WIDTH - _RIGHT}" for tick in up.ticks)
    below: list[float] = []
    for tick in across.ticks:
        if not below or abs(across.at(tick) - across.at(below[-1])) >= _APART:
            below.append(tick)
    title = f"{y.title} by {x.title}"
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="group" aria-label="{escape(title)}">'
        f'<path class="axis" d="{grid}"/><path class="points" d="{dots}"/><path class="steps" d="{line}"/>'
        + "".join(
            f'<a href="#{escape(one.anchor)}" aria-label="{escape(visible(one.name))}">'
            f'<circle class="best" r="5" cx="{across.at(one.x):.1f}" cy="{up.at(one.y):.1f}">'
            f"<title>{escape(visible(one.name))}</title></circle></a>"
            for one in linked
            if _is_finite((one.x, one.y)) and one.y >= low
        )
        + "".join(
            _label(
                _LEFT - 6,
                up.at(tick) + 4,
                number_text(tick, y.unit, up.digits, up.has_powers),
                "end",
            )
            for tick in up.ticks
        )
        + "".join(
            _label(
                across.at(tick),
                _HEIGHT - _BOTTOM + 16,
                number_text(tick, x.unit, across.digits, across.has_powers),
                "middle",
            )
            for tick in below
        )
        + _label(_WIDTH - _RIGHT, _HEIGHT - 6, x.title, "end")
        + "</svg>"
    )


class _Scale:
    """Places numbers between two ends of a drawing."""

    def __init__(self, axis: Axis, begin: float, end: float) -> None:
        low, high = axis.shown[0], axis.shown[-1]
        self._is_log = axis.is_log
        self.digits, self.has_powers = axis.digits, axis.has_powers
        if low == high:
            room = max(0.5, 0.05 * abs(low))
            low, high = low - room, high + room
        self.ticks = ticks(low, high) if self._is_log else _ticks(low, high)
        self._low = self._placed(low)
        self._per_unit = (end - begin) / (self._placed(high) - self._low)
        self._begin = begin

    def at(self, value: float) -> float:
        return self._begin + (self._placed(value) - self._low) * self._per_unit

    def _placed(self, value: float) -> float:
        return math.log10(value) if self._is_log else value


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers in a range."""
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    first = math.ceil(low / step)
    return [place * step for place in range(first, math.floor(high / step) + 1)]


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text class="label" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _is_finite(point: Point) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1])
