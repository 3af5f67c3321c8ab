"""How well scores rank, as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swapnas_ext.report.correlation.contents import (
    asked_first,
    coefficient_columns,
    comparison_columns,
    notes,
    summary,
    top_columns,
)
from swapnas_ext.report.shared.text import columns_text, printable_lines, wrapped

if TYPE_CHECKING:
    from swapnas_ext.correlation import Correlations


def to_text(found: Correlations, width: int | None = None) -> str:
    """A summary, the coefficients of each predictor, how accurate its highest are, comparisons, and notes.

    Args:
        width: of the terminal; None: whole lines.
    """
    rankings = asked_first(found)
    parts = [
        f"{wrapped(summary(found), width)}\n\n",
        columns_text(coefficient_columns(rankings), width),
    ]
    top = top_columns(rankings)
    if top:
        parts += ["\n", columns_text(top, width)]
    if found.comparisons:
        parts += ["\n", columns_text(comparison_columns(found.comparisons), width, sentences=[""])]
    parts += [f"{wrapped(line, width)}\n" for line in notes(found)]
    return printable_lines("".join(parts))
