"""Spearman's rank correlation, without SciPy, which is optional here."""

from __future__ import annotations

from typing import Any

import numpy as np

Values = np.ndarray[
    Any, np.dtype[np.float64]
]  # as numpy.typing, which takes long to import, has it


def rank_correlation(x: Values, y: Values) -> float:
    """Spearman's rho; NaN for fewer than two pairs, and where all ``x`` or all ``y`` are the same."""
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(_average_ranks(x), _average_ranks(y))[0, 1])


def _average_ranks(values: Values) -> Values:
    """Ranks from 1; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Values = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks
