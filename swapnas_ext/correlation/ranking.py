"""Tells how well numbers rank accuracies: correlations with intervals, and how accurate the highest are."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Correlation = Callable[[Values, Values], float]

_FEW = 10
"""With fewer rows, intervals say little."""
_MANY = 5000
"""With more rows, fewer resamples are enough."""


@dataclass(frozen=True)
class Coefficient:
    """A correlation coefficient with its bootstrap 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Chosen:
    """The most accurate of the ``top`` architectures with the highest values.

    Attributes:
        accuracy: its accuracy.
        regret: how far its accuracy is below the best of all.
        rank: the rank of its accuracy among all; 1 is the best.
    """

    top: int
    accuracy: float
    regret: float
    rank: int


@dataclass(frozen=True)
class Ranking:
    """How well one predictor ranks the accuracies.

    Attributes:
        name: the predictor's name.
        rows: how many rows have a value of it.
        rho, tau, r: the coefficients of Spearman, Kendall (tau-b) and Pearson.
        chosen: the most accurate of the 1, 10 and 100 highest, where there are at least twice as many rows.
        note: a remark for the reader, such as why there is no correlation; or empty.
    """

    name: str
    rows: int
    rho: Coefficient
    tau: Coefficient
    r: Coefficient
    chosen: Sequence[Chosen]
    note: str = ""


def rank(name: str, values: Sequence[float], accuracies: Sequence[float], seed: int) -> Ranking:
    """Compares a predictor's values with accuracies. Rows whose value is not finite are left out.

    Intervals are percentiles over 1,000 resamples of the rows, drawn with ``seed``; over 300 resamples where there
    are more than 5,000 rows.

    Raises:
        ImportError: SciPy is not installed.
    """
    x, y = np.asarray(values, dtype=float), np.asarray(accuracies, dtype=float)
    known = np.isfinite(x)
    x, y = x[known], y[known]
    undefined = _undefined(x, y)
    if undefined:
        nothing = Coefficient(np.nan, np.nan, np.nan)
        return Ranking(name, len(x), nothing, nothing, nothing, (), undefined)
    rho, tau, r = (_coefficient(x, y, function, seed) for function in _functions())
    note = f"only {len(x)} rows: the intervals say little" if len(x) < _FEW else ""
    tops = [top for top in (1, 10, 100) if 2 * top <= len(x)]
    return Ranking(name, len(x), rho, tau, r, [choose(x, y, top) for top in tops], note)


def choose(values: Values, accuracies: Values, top: int) -> Chosen:
    """The most accurate of the ``top`` highest. Among equal values, the least accurate count as the highest, so that
    ties never make a predictor look better."""
    order = np.lexsort((accuracies, -values))
    best = accuracies[order[:top]].max()
    return Chosen(
        top, float(best), float(accuracies.max() - best), int((accuracies > best).sum()) + 1
    )


def spearman(x: Values, y: Values) -> float:
    """Spearman's rho; NaN for fewer than three pairs, and where all ``x`` or all ``y`` are the same."""
    return float(_functions()[0](x, y)) if not _undefined(x, y) else np.nan


def check_scipy() -> None:
    """Raises ImportError where SciPy is not installed."""
    _functions()


def _undefined(x: Values, y: Values) -> str:
    """Why there is no correlation; empty where there is one."""
    if len(x) < 3:
        return f"undefined: {len(x)} rows, where at least 3 are needed"
    for what, values in (("values", x), ("accuracies", y)):
        if np.ptp(values) == 0:
            return f"undefined: all {len(values):,} {what} are {values[0]:.6g}"
    return ""


def _functions() -> tuple[Correlation, ...]:
    """Spearman's rho, Kendall's tau and Pearson's r."""
    try:
        from scipy import stats
    except ImportError as error:
        raise ImportError(
            "correlations need SciPy; run: pip install 'swapnas-ext[correlate]'"
        ) from error

    def statistic_of(test: Callable[[Values, Values], Any]) -> Correlation:
        return lambda x, y: float(test(x, y).statistic)

    return tuple(map(statistic_of, (stats.spearmanr, stats.kendalltau, stats.pearsonr)))


def _coefficient(x: Values, y: Values, function: Correlation, seed: int) -> Coefficient:
    from scipy import stats

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns where a resample is constant, or nearly
        value = function(x, y)
        interval = stats.bootstrap(
            (x, y),
            lambda a, b: function(a, b) if np.ptp(a) and np.ptp(b) else np.nan,
            paired=True,
            vectorized=False,
            n_resamples=1000 if len(x) <= _MANY else 300,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    resamples = interval.bootstrap_distribution
    low, high = np.nanpercentile(resamples, (2.5, 97.5))
    return Coefficient(float(value), float(low), float(high))
