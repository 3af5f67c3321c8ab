"""How well scores rank, as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swapnas_ext.report.correlation.contents import (
    coefficient_columns,
    comparison_columns,
    notes,
    summary,
    top_columns,
)
from swapnas_ext.report.shared.text import columns_text

if TYPE_CHECKING:
    from swapnas_ext.correlation import Correlations


def to_text(found: Correlations) -> str:
    """A summary, the coefficients of each predictor, how accurate its highest are, comparisons, and notes."""
    parts = [f"{summary(found)}\n\n", columns_text(coefficient_columns(found.rankings))]
    top = top_columns(found.rankings)
    if top:
        parts += ["\n", columns_text(top)]
    if found.comparisons:
        parts += ["\n", columns_text(comparison_columns(found.comparisons))]
    parts += [f"{line}\n" for line in notes(found)]
    return "".join(parts)
