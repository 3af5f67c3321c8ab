"""How runs compare, as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from swapnas_ext._util import exp_text
from swapnas_ext.report.comparison.contents import (
    cost_columns,
    front_columns,
    front_title,
    head,
    longest,
    overlap_columns,
    plain,
    repeats_columns,
    result_columns,
    result_sentences,
    settings_columns,
)
from swapnas_ext.report.shared.blocks import BLOCKS, block_curve
from swapnas_ext.report.shared.text import columns_text, wrapped

if TYPE_CHECKING:
    from swapnas_ext.search import BestSoFar, ComparedRun, Comparison

_WIDTH = 40
"""Characters of a curve."""
_NAME, _WHOLE = 24, 60
"""Characters of a name beside a curve, in a terminal and elsewhere."""
_OF_FRONT = 6
"""How many architectures of a joint front are shown."""
_SETTLED = 0.1
"""Of its length, the part of a curve that is not drawn to scale: scores rise steeply at the start."""


def to_text(comparison: Comparison, width: int | None = None) -> str:
    """The comparison as tables and curves; architectures are left to the page and to JSON.

    Args:
        width: of the terminal; None: whole lines.
    """
    parts = [f"{wrapped(line, width)}\n" for line in head(comparison)]
    if comparison.differing:
        settings = settings_columns(comparison)
        table = columns_text(settings, width, sentences=list(settings)[1:])
        parts.append(f"\nsettings that differ:\n{table}")
    repeats = repeats_columns(comparison)
    if repeats:
        parts.append(f"\nbest scores of repeats:\n{columns_text(repeats, width)}")
    results = result_columns(comparison)
    if results:
        parts.append(f"\n{columns_text(results, width)}")
        parts += [f"{wrapped(line, width)}\n" for line in result_sentences(comparison)]
    if comparison.has_curves:
        parts += [
            _curves(comparison, "candidates", lambda run: run.over_candidates, width),
            _curves(comparison, "seconds", lambda run: run.over_seconds, width),
        ]
    parts.append(f"\ncost:\n{columns_text(cost_columns(comparison), width)}")
    shared = columns_text(overlap_columns(comparison), width)
    parts.append(f"\nshared architectures of the best {comparison.top:,}:\n{shared}")
    for front in comparison.fronts:
        cells = front_columns(comparison, front, _OF_FRONT, architectures=False)
        parts.append(f"\n{front_title(front, _OF_FRONT)}:\n{columns_text(cells, width)}")
    return "".join(parts)


def _curves(
    comparison: Comparison,
    unit: str,
    curve_of: Callable[[ComparedRun], BestSoFar],
    width: int | None,
) -> str:
    """A line of blocks for each run, all to one scale."""
    curves = [curve_of(run) for run in comparison.runs]
    end = longest(curves)
    if end <= 0:
        return ""
    most = _WHOLE if width is None else _NAME
    names = [plain(run.name, most) for run in comparison.runs]
    best = [exp_text(run.best) for run in comparison.runs]
    of_name = max(map(len, names))
    room = _WIDTH if width is None else width - of_name - max(map(len, best)) - 4
    steps = max(1, min(_WIDTH, room))
    places = [end * (step + 1) / steps for step in range(steps)]
    high = max(curve.log_scores[-1] for curve in curves if curve.at)
    low = min(curve.value_at(max(_SETTLED * end, curve.at[0])) for curve in curves if curve.at)
    lines = [
        f"{name:{of_name}}  {block_curve(_values(curve, places), low, high)}  {score}"
        for name, curve, score in zip(names, curves, best, strict=True)
    ]
    scale = f"{BLOCKS[0]} up to {exp_text(low)}, {BLOCKS[-1]} {exp_text(high)}"
    title = wrapped(f"best so far, over {_end_text(end)} {unit} ({scale}):", width)
    return "\n".join(["", title, *lines, ""])


def _values(curve: BestSoFar, places: Sequence[float]) -> list[float]:
    """Logarithms of scores; NaN before the first score and after the end."""
    step = places[0]
    return [
        curve.value_at(place) if curve.at and place - step < curve.at[-1] else math.nan
        for place in places
    ]


def _end_text(end: float) -> str:
    return f"{end:,.0f}" if end >= 100 else f"{end:.3g}"
