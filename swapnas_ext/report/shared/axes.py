"""Axes of charts: linear or logarithmic, with round numbers and units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_WIDE = 50.0
"""Axes are logarithmic where the highest value is so many times the lowest."""
_FEWEST = 3
"""Numbers that a logarithmic axis has at least, where there are round ones."""
_ROUND = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0))
"""Numbers that a logarithmic axis may have in each decade, from few to many."""
_MOST = 9
_STEPS = 6
"""About so many steps has a linear axis."""
_DIGITS, _MOST_DIGITS = 4, 7
_POWERS, _LETTERS = 1e9, 1e4
"""From the one on, numbers are written as 3e+9, and from the other as 30k; on one axis all in one of these ways."""
"""Significant digits of the numbers of an axis, as many as tell them apart, and of the data of charts."""
_FEW, _FAR = 0.03, 0.3
"""Values below such a part of what all but so few have are far below all others."""


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes:
        field: what it shows of the data.
        title: with the unit in it.
        values: all that is shown, which tell the range.
        unit: stands behind each number; empty for none.
        wide: logarithmic from this range on, where all values are positive; infinite for never.
        zero: whether it begins at zero.
    """

    field: str
    title: str
    values: Sequence[float]
    unit: str = ""
    wide: float = _WIDE
    zero: bool = False
    trims: bool = False
    """Whether a few values far below all others are left out."""

    @property
    def is_log(self) -> bool:
        known = self._known
        return bool(known) and known[0] > 0 and known[-1] > self.wide * known[0]

    @property
    def shown(self) -> list[float]:
        """The values that are shown, in order."""
        return self._known

    @property
    def hidden(self) -> int:
        """How many values are left out."""
        return len(self._finite) - len(self._known)

    @property
    def infinite(self) -> int:
        """How many values are infinite, and can't be shown."""
        return sum(map(math.isinf, self.values))

    @property
    def filter(self) -> str:
        """An expression that is true of data that are shown; empty where all are."""
        return f"datum.{self.field} >= {rounded(self._known[0])!r}" if self.hidden else ""

    @property
    def digits(self) -> int:
        """How many significant digits tell neighbouring numbers on a linear axis apart."""
        known = self._known
        if not known or self.is_log or known[0] == known[-1]:
            return _DIGITS
        step = (known[-1] - known[0]) / _STEPS
        largest = max(abs(known[0]), abs(known[-1]))
        if not step or math.isinf(step):
            return _DIGITS
        return min(_MOST_DIGITS, max(_DIGITS, math.ceil(math.log10(largest / step)) + 1))

    @property
    def has_powers(self) -> bool:
        """Whether large numbers are written as powers of ten, since some need it."""
        known = self._known
        return bool(known) and max(abs(known[0]), abs(known[-1])) >= _POWERS

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers, which count something."""
        return bool(self.values) and all(isinstance(value, int) for value in self.values)

    @cached_property
    def _finite(self) -> list[float]:
        return sorted(value for value in self.values if math.isfinite(value))

    @cached_property
    def _known(self) -> list[float]:
        known = self._finite
        few = int(_FEW * len(known))
        if self.trims and few and 0 <= known[0] < _FAR * known[few]:
            return [value for value in known if value >= _FAR * known[few]]
        return known

    def encoding(self, field: str | None = None, **more: Any) -> dict[str, Any]:
        """The channel of a Vega-Lite chart."""
        shown: dict[str, Any] = {"title": self.title, "labelExpr": self._label}
        scale: dict[str, Any] = {"zero": self.zero, "nice": True}
        if self.is_log:
            known = self._known
            low, high = known[0] / 1.06, known[-1] * 1.06
            shown["values"] = ticks(low, high)
            scale = {"type": "log", "domain": [low, high], "nice": False}
        else:
            shown["tickCount"] = _STEPS
            if self.is_whole:
                shown["tickMinStep"] = 1
            if self.hidden:
                scale |= {"domainMin": self._known[0]}
        return {
            "field": field or self.field,
            "type": "quantitative",
            "axis": {**shown, **more},
            "scale": scale,
        }

    @property
    def _label(self) -> str:
        """An expression of Vega for the text of a number: 1M, 2,500, 0.02 ms."""
        behind = f" + ' {self.unit}'" if self.unit else ""
        size, digits = "abs(datum.value)", self.digits
        powers = _LETTERS if self.has_powers else _POWERS
        return (
            f"(datum.value == 0 ? '0' : {size} >= {powers:g} || {size} < 1e-4 ? "
            f"format(datum.value, '.{digits - 1}~e') : {size} >= {_LETTERS:g} ? format(datum.value, '.{digits}~s') : "
            f"format(datum.value, ',.{max(6, digits)}~r')){behind}"
        )


def ticks(low: float, high: float) -> list[float]:
    """Round numbers on a logarithmic axis: not too few, not too many, and evenly spread."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, math.ceil((last - first) / _MOST))
    found: list[float] = []
    for mantissas in _ROUND:
        found = [
            times * 10.0**power
            for power in range(first, last + 1, every)
            for times in mantissas
            if low <= times * 10.0**power <= high
        ]
        if len(found) >= _FEWEST:
            break
    return found


def rounded(value: float) -> float:
    """A finite number as the data of charts have it: with seven significant digits."""
    return float(f"{value:.{_MOST_DIGITS}g}")


def number_text(
    value: float, unit: str = "", digits: int = _DIGITS, has_powers: bool = False
) -> str:
    """A number of an axis, as charts in pages write it.

    Args:
        digits: significant ones.
        has_powers: see `Axis.has_powers`.
    """
    behind = f" {unit}" if unit else ""
    size = abs(value)
    if size == 0 or 1e-4 <= size < _LETTERS:
        return f"{value:,.{max(6, digits)}g}{behind}"
    for scale, letter in ((1e6, "M"), (1e3, "k")):
        if scale <= size < _POWERS and not has_powers:
            return f"{value / scale:.{digits}g}{letter}{behind}"
    return f"{value:.{digits}g}{behind}"
