"""Options for ranges of numbers, as search spaces of other code bases have them."""

from __future__ import annotations

import math

STEPS = 8
WHOLE = 100
"""Ranges of at most this many integers are taken whole."""


def spread_floats(low: float, high: float, steps: int, *, log: bool = False) -> list[float]:
    """``steps`` numbers from ``low`` to ``high``, evenly, or evenly in their logarithms, with six digits."""
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    if low == high or steps == 1:
        return [low]
    shares = [place / (steps - 1) for place in range(steps)]
    if log:
        inner = [math.exp(math.log(low) + share * math.log(high / low)) for share in shares]
    else:
        inner = [low + share * (high - low) for share in shares]
    rounded = [low, *(float(f"{value:.6g}") for value in inner[1:-1]), high]
    return list(dict.fromkeys(rounded))


def spread_integers(
    low: int, high: int, steps: int, *, step: int = 1, log: bool = False
) -> list[int]:
    """All integers from ``low`` to ``high``, if they are at most 100; otherwise ``steps`` of them, evenly spread."""
    whole = range(low, high + 1, step)
    if len(whole) <= WHOLE:
        return list(whole)
    spread = spread_floats(low, high, steps, log=log)
    return list(dict.fromkeys(low + round((value - low) / step) * step for value in spread))
