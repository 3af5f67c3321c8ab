"""Whether one predictor ranks better than another, and how good the top of a ranking is."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("scipy")
from scipy.stats import spearmanr

from swapnas_ext.correlation.comparisons import compare
from swapnas_ext.correlation.ranking import ndcg, precision

RNG = np.random.default_rng(0)
ACCURACIES = RNG.normal(90, 3, 120)
VALUES = {
    "good": list(ACCURACIES + RNG.normal(0, 1, 120)),
    "as good": list(ACCURACIES + RNG.normal(0, 1, 120)),
    "noise": list(RNG.normal(0, 1, 120)),
    "constant": [1.0] * 120,
    "some": [*(ACCURACIES + RNG.normal(0, 3, 120))[:60], *[math.nan] * 60],
}


@pytest.mark.slow
def test_the_difference_is_that_of_the_coefficients_on_the_same_rows() -> None:
    for name, other, rows in (("good", "noise", 120), ("good", "some", 60), ("some", "noise", 60)):
        found = compare(name, other, VALUES, ACCURACIES, seed=0)
        assert found is not None and found.rows == rows
        expected = [
            spearmanr(VALUES[one][:rows], ACCURACIES[:rows]).statistic for one in (name, other)
        ]
        assert found.difference.value == pytest.approx(expected[0] - expected[1])
        assert found.difference.low <= found.difference.value <= found.difference.high


@pytest.mark.slow
def test_verdicts() -> None:
    verdicts = {
        other: found.verdict
        for other in ("as good", "noise")
        if (found := compare("good", other, VALUES, ACCURACIES, seed=0)) is not None
    }
    assert verdicts["noise"] == "ranks better than noise here"
    assert verdicts["as good"].startswith("no evidence that it ranks better or worse")
    worse = compare("noise", "good", VALUES, ACCURACIES, seed=0)
    assert worse is not None and worse.verdict == "ranks worse than good here"


def test_paired_intervals_are_narrower_than_those_of_unrelated_rows() -> None:
    """Both predictors are judged on the same resamples: what they share cancels out."""
    shared = ACCURACIES + RNG.normal(0, 4, 120)
    values = {"a": list(shared + RNG.normal(0, 0.2, 120)), "b": list(shared)}
    found = compare("a", "b", values, ACCURACIES, seed=0)
    assert found is not None and found.difference.high - found.difference.low < 0.05


def test_nothing_to_compare() -> None:
    assert compare("good", "constant", VALUES, ACCURACIES, seed=0) is None
    few = {"a": [1.0, 2, math.nan, math.nan], "b": [1.0, 3, 2, 4]}
    assert compare("a", "b", few, [1.0, 2, 3, 4], seed=0) is None


def test_ndcg_by_its_formula() -> None:
    values, accuracies = np.arange(60.0), np.arange(60.0)
    assert ndcg(values, accuracies) == precision(values, accuracies) == 1
    swapped = values.copy()
    swapped[[57, 10]] = swapped[[10, 57]]  # the third highest is the eleventh worst
    reached = 59 / math.log2(2) + 58 / math.log2(3) + 10 / math.log2(4)
    best = 59 / math.log2(2) + 58 / math.log2(3) + 57 / math.log2(4)
    assert ndcg(swapped, accuracies) == pytest.approx(reached / best)
    assert precision(swapped, accuracies) == pytest.approx(2 / 3)


def test_ties_never_help() -> None:
    accuracies = np.arange(40.0)
    assert ndcg(np.zeros(40), accuracies) == pytest.approx(
        1 / math.log2(3) / (39 + 38 / math.log2(3))
    )
    assert precision(np.zeros(40), accuracies) == 0
