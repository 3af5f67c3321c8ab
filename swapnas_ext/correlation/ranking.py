"""Tells how well numbers rank accuracies: correlations with intervals, and how accurate the highest are."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from swapnas_ext._util import SameWithNan, Values, decimal, rank_correlation

Correlation = Callable[[Values, Values], float]

_FEW = 10
"""With fewer rows, intervals say little."""
_MANY = 5000
"""With more rows, fewer resamples are enough."""


@dataclass(frozen=True, eq=False)
class Coefficient(SameWithNan):
    """A correlation coefficient with its bootstrap 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "-"
        return f"{decimal(self.value, 3)} [{decimal(self.low, 3)}, {decimal(self.high, 3)}]"


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


@dataclass(frozen=True, eq=False)
class Ranking(SameWithNan):
    """How well one predictor ranks the accuracies.

    Attributes:
        name: the predictor's name.
        rows: how many rows have a value of it.
        rho, tau, r: the coefficients of Spearman, Kendall (tau-b) and Pearson.
        chosen: the most accurate of the 1, 10 and 100 highest, where there are at least twice as many rows.
        ndcg: normalised discounted cumulative gain of the highest twentieth, with accuracies scaled to 0 to 1 as gains.
        precision: the part of the highest twentieth that is among the most accurate twentieth.
        note: a remark for the reader, such as why there is no correlation; or empty.
    """

    name: str
    rows: int
    rho: Coefficient
    tau: Coefficient
    r: Coefficient
    chosen: Sequence[Chosen]
    note: str = ""
    ndcg: float = np.nan
    precision: float = np.nan


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
    chosen = [choose(x, y, top) for top in tops]
    return Ranking(name, len(x), rho, tau, r, chosen, note, ndcg(x, y), precision(x, y))


def ndcg(values: Values, accuracies: Values) -> float:
    """Normalised discounted cumulative gain of the highest twentieth (at least one): each gains its accuracy, scaled
    to 0 (the lowest) to 1 (the highest), divided by ``log2(1 + place)``. Among equal values, the least accurate are
    first.

    Source: Jaervelin and Kekaelaeinen, ACM TOIS 2002.
    """
    gains = (accuracies - accuracies.min()) / np.ptp(accuracies)
    top = _twentieth(len(values))
    discounts = 1 / np.log2(np.arange(2, top + 2))
    reached = gains[np.lexsort((accuracies, -values))[:top]] @ discounts
    return float(reached / (np.sort(gains)[::-1][:top] @ discounts))


def precision(values: Values, accuracies: Values) -> float:
    """The part of the highest twentieth (at least one) that is among as many most accurate. Among equal values, the
    least accurate come first."""
    top = _twentieth(len(values))
    limit = np.sort(accuracies)[-top]
    return float((accuracies[np.lexsort((accuracies, -values))[:top]] >= limit).mean())


def _twentieth(rows: int) -> int:
    return max(1, round(rows / 20))


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
    return np.nan if _undefined(x, y) else rank_correlation(x, y)


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

    return (spearman, *map(statistic_of, (stats.kendalltau, stats.pearsonr)))


def _coefficient(x: Values, y: Values, function: Correlation, seed: int) -> Coefficient:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns where values are nearly constant
        value = function(x, y)
    low, high = bootstrap((x, y), function, seed)
    return Coefficient(float(value), low, high)


def bootstrap(
    columns: Sequence[Values], statistic: Callable[..., float], seed: int
) -> tuple[float, float]:
    """The 95 % interval of a statistic of paired columns, by percentiles over resamples of the rows. Resamples in which
    a column is constant are left out.

    Raises:
        ImportError: SciPy is not installed.
    """
    check_scipy()
    from scipy import stats

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns where a resample is constant, or nearly
        interval = stats.bootstrap(
            columns,
            lambda *found: statistic(*found) if all(map(np.ptp, found)) else np.nan,
            paired=True,
            vectorized=False,
            n_resamples=1000 if len(columns[0]) <= _MANY else 300,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    low, high = np.nanpercentile(interval.bootstrap_distribution, (2.5, 97.5))
    return float(low), float(high)
