"""Correlations against SciPy's own, their intervals, and what the highest are worth."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from swapnas_ext.correlation import ranking
from swapnas_ext.correlation.ranking import Chosen, choose, rank, spearman

COEFFICIENTS = ("rho", "tau", "r")


def sample(rows: int, seed: int = 0, levels: int = 12) -> tuple[Any, Any]:
    """Two that go together, with ties."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, levels, rows).astype(float)
    return x, np.round(x + rng.normal(0, 3, rows))


def tau_b(x: Any, y: Any) -> float:
    """By its definition: pairs that agree less those that don't, with the ties of each taken out."""
    above = np.triu_indices(len(x), 1)
    dx = np.sign(np.subtract.outer(x, x))[above]
    dy = np.sign(np.subtract.outer(y, y))[above]
    return float((dx * dy).sum() / math.sqrt((dx != 0).sum() * (dy != 0).sum()))


@settings(max_examples=10)
@given(st.integers(4, 60), st.integers(0, 1000), st.integers(3, 20))
def test_coefficients(rows: int, seed: int, levels: int) -> None:
    x, y = sample(rows, seed, levels)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    with pytest.MonkeyPatch.context() as patch:
        few_resamples(patch)
        found = rank("score", x, y, seed=0)
    ranks = stats.rankdata(x), stats.rankdata(y)
    assert found.rho.value == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert found.tau.value == pytest.approx(tau_b(x, y))
    assert found.tau.value == pytest.approx(stats.kendalltau(x, y, variant="b").statistic)
    assert found.r.value == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found.rho.value == spearman(x, y)
    assert (found.name, found.rows) == ("score", rows)


def few_resamples(patch: pytest.MonkeyPatch, count: int = 9) -> None:
    """For tests that need no more."""
    whole = stats.bootstrap

    def bootstrap(*args: Any, **options: Any) -> Any:
        return whole(*args, **{**options, "n_resamples": count})

    patch.setattr(stats, "bootstrap", bootstrap)


@pytest.mark.slow
def test_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    few_resamples(monkeypatch, 300)
    x, y = sample(60)
    found, again, other = (rank("", x, y, seed=seed) for seed in (0, 0, 1))
    assert found == again
    for name in COEFFICIENTS:
        coefficient, another = getattr(found, name), getattr(other, name)
        assert coefficient.low < coefficient.value < coefficient.high
        assert (coefficient.low, coefficient.high) != (another.low, another.high)
        assert coefficient.low == pytest.approx(another.low, abs=0.05)
    # Fisher's, which is exact for normal data.
    middle, half = math.atanh(found.r.value), 1.96 / math.sqrt(60 - 3)
    assert found.r.low == pytest.approx(math.tanh(middle - half), abs=0.08)
    assert found.r.high == pytest.approx(math.tanh(middle + half), abs=0.08)


def test_many_rows_take_fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    whole = stats.bootstrap

    def bootstrap(*args: Any, **options: Any) -> Any:
        asked.append(options["n_resamples"])
        return whole(*args, **{**options, "n_resamples": 9})

    monkeypatch.setattr(stats, "bootstrap", bootstrap)
    for rows in (5000, 5001):
        rank("", *sample(rows), seed=0)
    assert asked == [1000] * 3 + [300] * 3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("values", "accuracies", "problem"),
    [
        ([1.0] * 12, range(12), "undefined: all 12 values are 1"),
        (range(12), [0.5] * 12, "undefined: all 12 accuracies are 0.5"),
        ([], [], "undefined: 0 rows, where at least 3 are needed"),
        ([1.0, 2.0], [1.0, 2.0], "undefined: 2 rows"),
        ([1.0, 2.0, math.nan], [1.0, 2.0, 3.0], "undefined: 2 rows"),
        ([1.0, 1.0, 1.0, math.nan], [1.0, 2.0, 3.0, 4.0], "undefined: all 3 values are 1"),
        ([math.nan] * 12, range(12), "undefined: 0 rows"),
    ],
)
def test_no_correlation(values: Any, accuracies: Any, problem: str) -> None:
    found = rank("score", values, accuracies, seed=0)
    assert found.note.startswith(problem)
    assert found.chosen == ()
    for name in COEFFICIENTS:
        coefficient = getattr(found, name)
        assert all(map(math.isnan, (coefficient.value, coefficient.low, coefficient.high)))
    known = [place for place, value in enumerate(values) if not math.isnan(value)]
    x, y = (np.array([list(column)[place] for place in known]) for column in (values, accuracies))
    assert math.isnan(spearman(x, y))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [3, 4, 9, 10])
def test_few_rows(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many resamples are constant."""
    few_resamples(monkeypatch, 200)
    found = rank("", range(rows), [0.0] * (rows - 1) + [1.0], seed=0)
    assert found.note == (f"only {rows} rows: the intervals say little" if rows < 10 else "")
    assert 0 < found.rho.low < found.rho.high <= 1


def test_rows_without_a_value_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    few_resamples(monkeypatch)
    x, y = sample(30)
    gaps = np.where(np.arange(30) % 3 == 0, np.nan, x)
    found = rank("", gaps, y, seed=0)
    assert found == rank("", x[np.arange(30) % 3 != 0], y[np.arange(30) % 3 != 0], seed=0)
    assert found.rows == 20


# ---- the highest -----------------------------------------------------------------------------------


def test_what_the_highest_are_worth() -> None:
    values = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    accuracies = np.array([70.0, 90.0, 95.0, 95.0, 10.0])
    assert choose(values, accuracies, 1) == Chosen(1, 70.0, 25.0, 4)
    assert choose(values, accuracies, 2) == Chosen(2, 90.0, 5.0, 3)
    assert choose(values, accuracies, 3) == Chosen(3, 95.0, 0.0, 1)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=12),
    st.integers(1, 12),
)
def test_ties_never_flatter(rows: list[tuple[int, int]], top: int) -> None:
    """No order of equal values makes a choice that is worse."""
    values, accuracies = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    found = choose(values, accuracies, top)
    pessimist = sorted(zip(-values, accuracies, strict=True))[:top]
    assert found.accuracy == max(accuracy for _, accuracy in pessimist)
    assert found.regret == accuracies.max() - found.accuracy
    assert found.rank == 1 + sum(accuracies > found.accuracy)


@pytest.mark.parametrize(
    ("rows", "tops"), [(3, [1]), (19, [1]), (20, [1, 10]), (199, [1, 10]), (200, [1, 10, 100])]
)
def test_no_more_than_half_are_the_highest(
    rows: int, tops: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    few_resamples(monkeypatch)
    found = rank("", range(rows), range(rows), seed=0)
    assert [chosen.top for chosen in found.chosen] == tops
    assert all(chosen.rank == 1 and chosen.regret == 0 for chosen in found.chosen)


def test_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"pip install 'swapnas-ext\[correlate\]'"):
        ranking.check_scipy()
    with pytest.raises(ImportError, match="correlations need SciPy"):
        rank("", *sample(20), seed=0)
