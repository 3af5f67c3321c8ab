"""Tells how often chance ranks as well. The bootstrap can't for a few networks: of three in the right order, all
resamples are in the right order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_PAIRINGS = 9999


def p_value(values: Sequence[float], accuracies: Sequence[float], seed: int) -> float:
    """Two-sided p-value of Spearman's rho: the share of random pairings of values and accuracies whose rho is as far
    from 0, with the real pairing among them. NaN where rho is not defined.

    Raises:
        ImportError: SciPy is not installed.
    """
    from scipy import stats

    x, y = (stats.rankdata(numbers) for numbers in (values, accuracies))
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    paired = np.random.default_rng(seed).permuted(np.tile(y, (_PAIRINGS, 1)), axis=1)
    slack = 1e-9 * len(x) ** 3  # sums in another order round differently
    return float(1 + (np.abs(paired @ x) >= abs(x @ y) - slack).sum()) / (1 + _PAIRINGS)
