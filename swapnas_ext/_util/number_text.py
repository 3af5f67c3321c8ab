"""Numbers as people read them: no negative zero, no rate of 0, and a unit that fits."""

from __future__ import annotations

import math


def decimal(value: float, digits: int, *, sign: bool = False) -> str:
    """A number with so many decimal places. ``-`` stands for NaN, and what rounds to 0 has no minus.

    Args:
        sign: writes + before what is above 0.
    """
    if math.isnan(value):
        return "-"
    text = f"{value:,.{digits}f}"
    is_zero = not text.strip("-0.")
    if is_zero:
        return text.lstrip("-")
    return f"+{text}" if sign and value > 0 else text


def significant(value: float, digits: int = 6) -> str:
    """A number with so many significant digits, without zeros at its end. ``-`` stands for NaN."""
    return "-" if math.isnan(value) else f"{value + 0.0:.{digits}g}"  # -0.0 + 0.0 is 0.0


def duration(seconds: float) -> str:
    """About so long, in the two largest units: 45 s, 2 min, 1 h 5 min, 3 d 4 h."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def rate_text(rate: float, unit: str = "candidates") -> str:
    """38 candidates/s, 2.5 candidates/min, 1 per 3 h, ..., with two digits at most below 100; ``-`` where there is
    none.

    Args:
        rate: a second.
    """
    if not 0 < rate < math.inf:
        return "-"
    for seconds, name in ((1, "s"), (60, "min"), (3600, "h")):
        if rate * seconds >= 1:
            return f"{_two_digits(rate * seconds)} {unit}/{name}"
    return f"1 per {duration(1 / rate)}"


def _two_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def short_count(count: float) -> str:
    """2.5M, 800k, 12."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.4g}{letter}"
    return f"{count:.4g}"
