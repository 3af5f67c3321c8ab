"""A curve in one line of block characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def block_curve(values: Sequence[float]) -> str:
    """A block for each value, from the lowest finite value to the highest. NaN and infinities leave a gap."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return " " * len(values)
    low, high = min(known), max(known)
    step = (high - low) / (len(_BLOCKS) - 1)
    return "".join(
        " "
        if not math.isfinite(value)
        else _BLOCKS[round((value - low) / step) if step > 0 else -1]
        for value in values
    )
