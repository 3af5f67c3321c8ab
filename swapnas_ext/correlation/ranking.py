"""How well numbers rank accuracies: correlations with intervals, and what the best of them are worth."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_FEW = 10
"""Rows below which intervals say little."""
_MANY = 5000
"""Rows above which fewer resamples do."""


@dataclass(frozen=True)
class Coefficient:
    """A correlation, and its bootstrap 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Chosen:
    """The most accurate of the ``top`` highest.

    Attributes:
        accuracy: its accuracy.
        regret: by how much the best accuracy of all is higher.
        rank: of its accuracy among all; 1 is the best.
    """

    top: int
    accuracy: float
    regret: float
    rank: int


@dataclass(frozen=True)
class Ranking:
    """How well one predictor ranks.

    Attributes:
        name: of the predictor.
        rows: that have a value of it.
        rho, tau, r: Spearman's, Kendall's (tau-b), Pearson's.
        chosen: for 1, 10 and 100 of the highest, as far as there are twice as many rows.
        note: what is to be said of it, such as why there is no correlation.
    """

    name: str
    rows: int
    rho: Coefficient
    tau: Coefficient
    r: Coefficient
    chosen: Sequence[Chosen]
    note: str = ""


def rank(name: str, values: Sequence[float], accuracies: Sequence[float], seed: int) -> Ranking:
    """Compares a predictor's values with accuracies; rows where the value is NaN are left out.

    Intervals are percentiles of 1,000 resamples of the rows (300 of more than 5,000 rows), drawn with
    ``seed``.

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
    coefficients = (_coefficient(x, y, function, seed) for function in _functions())
    note = f"only {len(x)} rows: the intervals say little" if len(x) < _FEW else ""
    tops = [top for top in (1, 10, 100) if 2 * top <= len(x)]
    return Ranking(name, len(x), *coefficients, [choose(x, y, top) for top in tops], note)


def choose(values: Values, accuracies: Values, top: int) -> Chosen:
    """Of equal values, those with the lower accuracy come first: ties never flatter."""
    order = np.lexsort((accuracies, -values))
    best = accuracies[order[:top]].max()
    return Chosen(
        top, float(best), float(accuracies.max() - best), int((accuracies > best).sum()) + 1
    )


def spearman(x: Values, y: Values) -> float:
    """Spearman's rho; NaN where one of the two is constant."""
    return float(_functions()[0](x, y)) if not _undefined(x, y) else np.nan


def check_scipy() -> None:
    """Raises ImportError where SciPy is not installed."""
    _functions()


def _undefined(x: Values, y: Values) -> str:
    if len(x) < 3:
        return f"undefined: {len(x)} rows, where at least 3 are needed"
    for what, values in (("values", x), ("accuracies", y)):
        if np.ptp(values) == 0:
            return f"undefined: all {len(values):,} {what} are {values[0]:.6g}"
    return ""


def _functions() -> tuple[Callable[[Values, Values], float], ...]:
    try:
        from scipy import stats
    except ImportError as error:
        raise ImportError(
            "correlations take SciPy, which is not installed: pip install 'swapnas-ext[correlate]'"
        ) from error
    functions = (stats.spearmanr, stats.kendalltau, stats.pearsonr)
    return tuple(lambda x, y, of=of: of(x, y).statistic for of in functions)  # type: ignore[misc]


def _coefficient(
    x: Values, y: Values, function: Callable[[Values, Values], float], seed: int
) -> Coefficient:
    from scipy import stats

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of SciPy, on what is constant, or nearly
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
