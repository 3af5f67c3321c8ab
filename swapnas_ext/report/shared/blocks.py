"""A curve in one line of block characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def block_curve(
    values: Sequence[float], low: float | None = None, high: float | None = None
) -> str:
    """A block for each value. NaN and infinities leave a gap.

    Args:
        low, high: values with the lowest and the highest block; by default the lowest and the highest of the finite
            values. What is lower than ``low`` has the lowest block too.
    """
    known = [value for value in values if math.isfinite(value)]
    low = min(known, default=0.0) if low is None else low
    high = max(known, default=0.0) if high is None else high
    return "".join(_block(value, low, high) if math.isfinite(value) else " " for value in values)


def _block(value: float, low: float, high: float) -> str:
    share = 1.0 if high <= low else max(0.0, (value - low) / (high - low))
    return BLOCKS[min(int(share * len(BLOCKS)), len(BLOCKS) - 1)]
