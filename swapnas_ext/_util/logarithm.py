"""Numbers of which the natural logarithm is known, since they may be too large or too small for a float."""

from __future__ import annotations

import math


def exp_or_inf(logarithm: float) -> float:
    """The number; infinite if it is too large for a float."""
    try:
        return math.exp(logarithm)
    except OverflowError:
        return math.inf


def exp_text(logarithm: float) -> str:
    """The number as text, such as ``1234.56``; ``exp(1234.56)`` if a float does not hold it, and ``-`` for NaN."""
    if math.isnan(logarithm):
        return "-"
    number = exp_or_inf(logarithm)
    return f"{number:.6g}" if 0 < number < math.inf else f"exp({logarithm:.6g})"
