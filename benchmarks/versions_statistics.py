"""Which rows moved beyond noise.

Two processes that run the same code differ a little for as long as they live: their memory lies elsewhere. More rounds
in the same two processes would not show it, and would take such differences for certain. So the unit is the launch, in
which both versions start anew. A launch's value is the median of the logarithms of its rounds' ratios: a round's two
times were taken one right after the other, so what disturbs the machine for longer disturbs both. Over the launches:
Student's t-test of a mean of zero, and its interval of 95 %. Holm's procedure over all rows: where nothing moved, one
comparison in twenty calls any row moved.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from scipy import stats

FALSE = 0.05
"""The probability that any row is called moved which did not."""


@dataclass(frozen=True)
class Ratio:
    """How many times as fast the second is as the first: above 1 it is faster.

    Args:
        value: the geometric mean of the launches.
        low, high: its interval of 95 %.
        p: of the hypothesis that there is no difference.
    """

    value: float
    low: float
    high: float
    p: float


def of_launch(rounds: Sequence[tuple[float, float]]) -> float:
    """The logarithm of how many times as fast the second is."""
    return statistics.median(math.log(first / second) for first, second in rounds)


def ratio(logarithms: Sequence[float]) -> Ratio:
    """Of the values of the launches, at least two."""
    if len(logarithms) < 2:
        raise ValueError(f"an interval needs two launches at least, got {len(logarithms)}")
    mean = statistics.fmean(logarithms)
    if len(set(logarithms)) == 1:  # nothing varies
        return Ratio(math.exp(mean), math.exp(mean), math.exp(mean), float(mean == 0))
    found = stats.ttest_1samp(logarithms, 0)
    interval = found.confidence_interval(0.95)
    return Ratio(
        math.exp(mean), math.exp(interval.low), math.exp(interval.high), float(found.pvalue)
    )


def ratios(launches: Mapping[str, Sequence[Sequence[tuple[float, float]]]]) -> dict[str, Ratio]:
    """Of each row."""
    return {row: ratio([of_launch(rounds) for rounds in each]) for row, each in launches.items()}


def geometric_mean(launches: Mapping[str, Sequence[Sequence[tuple[float, float]]]]) -> Ratio:
    """Of the rows together. Each launch gives one value, the mean of its rows."""
    by_row = [[of_launch(rounds) for rounds in each] for each in launches.values()]
    return ratio([float(mean) for mean in np.mean(by_row, axis=0)])


def moved(found: Mapping[str, Ratio]) -> list[str]:
    """The rows that moved beyond noise, the slower ones first."""
    rows = sorted(found, key=lambda row: found[row].p)
    sure = takewhile(
        lambda at: found[rows[at]].p * (len(rows) - at) <= FALSE,  # Holm
        range(len(rows)),
    )
    return sorted((rows[at] for at in sure), key=lambda row: found[row].value)
