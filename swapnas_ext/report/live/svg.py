"""Small charts as SVG, drawn in a millisecond: a live page is drawn again and again beside a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

Point = tuple[float, float]

_WIDTH, _HEIGHT = 520.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 12.0, 12.0, 40.0


def draw_chart(points: Sequence[Point], steps: Sequence[Point], *, x: str, y: str) -> str:
    """A chart with points, and a line of steps: after each of ``steps``, the line stays at its height.

    Colours come from the classes ``points``, ``steps``, ``axis`` and ``label`` of the page.

    Args:
        x, y: what the axes are called.
    """
    points, steps = list(filter(_is_finite, points)), list(filter(_is_finite, steps))
    drawn = [*points, *steps]
    if not drawn:
        return ""
    across = _Axis([one[0] for one in drawn], _LEFT, _WIDTH - _RIGHT)
    up = _Axis([one[1] for one in drawn], _HEIGHT - _BOTTOM, _TOP)
    dots = "".join(f"M{across.at(a):.1f} {up.at(b):.1f}h0" for a, b in points)
    line = ""
    for place, (a, b) in enumerate(steps):
        line += (
            f"H{across.at(a):.1f}V{up.at(b):.1f}"
            if place
            else f"M{across.at(a):.1f} {up.at(b):.1f}"
        )
    grid = "".join(f"M{_LEFT} {up.at(tick):.1f}H{_WIDTH - _RIGHT}" for tick in up.ticks)
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" aria-label="{escape(y)} by {escape(x)}">'
        f'<path class="axis" d="{grid}"/><path class="points" d="{dots}"/><path class="steps" d="{line}"/>'
        + "".join(_label(_LEFT - 6, up.at(tick) + 4, _number(tick), "end") for tick in up.ticks)
        + "".join(
            _label(across.at(tick), _HEIGHT - _BOTTOM + 16, _number(tick), "middle")
            for tick in across.ticks
        )
        + _label(_WIDTH - _RIGHT, _HEIGHT - 6, x, "end")
        + "</svg>"
    )


class _Axis:
    """Places numbers between two ends of a drawing."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        low, high = min(values), max(values)
        if low == high:
            low, high = low - 0.5, high + 0.5
        self._low, self._per_unit, self._begin = low, (end - begin) / (high - low), begin
        self.ticks = _ticks(low, high)

    def at(self, value: float) -> float:
        return self._begin + (value - self._low) * self._per_unit


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers in a range."""
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    first = math.ceil(low / step)
    return [place * step for place in range(first, math.floor(high / step) + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e5 else f"{value:.4g}"


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text class="label" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _is_finite(point: Point) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1])
