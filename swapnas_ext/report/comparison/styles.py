"""The colour and the dashes of each run, the same in all charts and tables of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swapnas_ext.report.shared.charts import LineStyle

if TYPE_CHECKING:
    from swapnas_ext.search import Comparison

_COLORS = tuple(f"var(--run-{number})" for number in range(1, 8))
"""Of the page, which has them for a light and for a dark scheme: Okabe and Ito's hues, which colour-blind people tell
apart, without the yellow that is faint on white."""
_DASHES = ((), (6, 2), (2, 2), (8, 2, 2, 2))


def styles_of(comparison: Comparison) -> dict[str, LineStyle]:
    """A style for each run, by its name: repeats of one setting have one colour and other dashes. Where there is but
    one setting, or no repeats, each run has its own colour."""
    settings, runs = len(comparison.repeats), len(comparison.runs)
    if 1 < settings < runs:
        return {
            name: _style(number, place)
            for number, group in enumerate(comparison.repeats)
            for place, name in enumerate(group.runs)
        }
    return {
        run.name: _style(place, place // len(_COLORS)) for place, run in enumerate(comparison.runs)
    }


def group_styles(comparison: Comparison) -> list[LineStyle]:
    """A style for each setting."""
    return [_style(number, number // len(_COLORS)) for number in range(len(comparison.repeats))]


def _style(color: int, dashes: int) -> LineStyle:
    return LineStyle(_COLORS[color % len(_COLORS)], _DASHES[dashes % len(_DASHES)])
