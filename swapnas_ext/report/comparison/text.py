"""How runs compare, as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from swapnas_ext._util import exp_text
from swapnas_ext.report.comparison.contents import (
    Columns,
    cost_columns,
    front_columns,
    front_title,
    head,
    longest,
    overlap_columns,
    plain,
    reached_sentence,
    repeats_columns,
    result_columns,
    settings_columns,
)
from swapnas_ext.report.shared.blocks import BLOCKS, block_curve
from swapnas_ext.report.shared.text import columns_text

if TYPE_CHECKING:
    from swapnas_ext.search import BestSoFar, ComparedRun, Comparison

_WIDTH = 40
"""Characters of a curve."""
_NAME = 24
_SIDE_BY_SIDE = 4
"""Columns of settings in 80 characters."""
_OF_FRONT = 6
"""How many architectures of a joint front are shown."""
_SETTLED = 0.1
"""Of its length, the part of a curve that is not drawn to scale: scores rise steeply at the start."""


def to_text(comparison: Comparison) -> str:
    """The comparison as lines of about 80 characters; architectures are left to the page and to JSON."""
    parts = [f"{line}\n" for line in head(comparison)]
    if comparison.differing:
        parts.append(f"\nsettings that differ:\n{_settings(settings_columns(comparison))}")
    repeats = repeats_columns(comparison)
    if repeats:
        parts.append(f"\nbest scores of repeats:\n{columns_text(repeats)}")
    results = result_columns(comparison)
    if results:
        parts.append(f"\n{columns_text(results)}")
    if comparison.has_curves:
        parts.append(f"{reached_sentence(comparison)}\n")
        parts += [
            _curves(comparison, "candidates", lambda run: run.over_candidates),
            _curves(comparison, "seconds", lambda run: run.over_seconds),
        ]
    parts.append(f"\ncost:\n{columns_text(cost_columns(comparison))}")
    parts.append(
        f"\nshared architectures of the best {comparison.top:,}:\n{columns_text(overlap_columns(comparison))}"
    )
    for front in comparison.fronts:
        cells = front_columns(comparison, front, _OF_FRONT, architectures=False)
        parts.append(f"\n{front_title(front, _OF_FRONT)}:\n{columns_text(cells)}")
    return "".join(parts)


def _settings(columns: Columns) -> str:
    """The columns, no more than fit side by side."""
    names = [name for name in columns if name != "setting"]
    tables = []
    for place in range(0, len(names), _SIDE_BY_SIDE):
        shown = {name: columns[name] for name in names[place : place + _SIDE_BY_SIDE]}
        tables.append(columns_text({"setting": columns["setting"], **shown}))
    return "\n".join(tables)


def _curves(comparison: Comparison, unit: str, curve_of: Callable[[ComparedRun], BestSoFar]) -> str:
    """A line of blocks for each run, all to one scale."""
    curves = [curve_of(run) for run in comparison.runs]
    end = longest(curves)
    if end <= 0:
        return ""
    places = [end * (step + 1) / _WIDTH for step in range(_WIDTH)]
    high = max(curve.log_scores[-1] for curve in curves if curve.at)
    low = min(curve.value_at(max(_SETTLED * end, curve.at[0])) for curve in curves if curve.at)
    names = [plain(run.name, _NAME) for run in comparison.runs]
    width = max(map(len, names))
    lines = [
        f"{name:{width}}  {block_curve(_values(curve, places), low, high)}  {exp_text(run.best)}"
        for name, curve, run in zip(names, curves, comparison.runs, strict=True)
    ]
    scale = f"{BLOCKS[0]} up to {exp_text(low)}, {BLOCKS[-1]} {exp_text(high)}"
    return "\n".join([f"\nbest so far, over {_end_text(end)} {unit} ({scale}):", *lines, ""])


def _values(curve: BestSoFar, places: Sequence[float]) -> list[float]:
    """Logarithms of scores; NaN before the first score and after the end."""
    step = places[0]
    return [
        curve.value_at(place) if curve.at and place - step < curve.at[-1] else math.nan
        for place in places
    ]


def _end_text(end: float) -> str:
    return f"{end:,.0f}" if end >= 100 else f"{end:.3g}"
