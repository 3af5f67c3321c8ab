"""mu and sigma without labels."""

from __future__ import annotations

import math
import random

import pytest

from swapnas_ext.search.size_control import Control, for_ranking, for_target


def sample(count: int, seed: int = 0) -> tuple[list[float], list[int]]:
    """Log-scores that grow with size, with noise."""
    rng = random.Random(seed)
    sizes = [rng.randrange(1_000_000, 5_000_000) for _ in range(count)]
    return [size / 1e6 + rng.gauss(0, 0.5) for size in sizes], sizes


@pytest.mark.parametrize("target", [1_500_000, 3_000_000, 4_500_000])
def test_the_best_of_many_are_of_the_wanted_size(target: int) -> None:
    control = for_target(target, *sample(64))
    assert control.mu == target / 1e3
    scores, sizes = sample(20_000, seed=1)
    best = max(range(20_000), key=lambda k: scores[k] + control.log_factor(sizes[k]))
    assert sizes[best] == pytest.approx(target, rel=0.06)


def test_size_weighs_a_quarter_in_ranking() -> None:
    scores, sizes = sample(200)
    control = for_ranking(scores, sizes)
    assert control.mu == max(sizes) / 1e3

    def spread(values: list[float]) -> float:
        mean = sum(values) / len(values)
        return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))

    factors = [control.log_factor(size) for size in sizes]
    assert spread(factors) == pytest.approx(spread(scores) / 4)
    assert sizes[factors.index(max(factors))] == max(sizes)


def test_units_are_thousands_of_parameters() -> None:
    assert Control(1500.0, 100.0).log_factor(1_510_000) == pytest.approx(-1.0)
    assert Control().log_factor(123) == 0.0


@pytest.mark.parametrize("calibrate", [for_ranking, lambda *rows: for_target(1e6, *rows)])
def test_samples_that_tell_nothing(calibrate) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="got 1"):
        calibrate([1.0], [5])
    with pytest.raises(ValueError, match="have one size"):
        calibrate([1.0, 2.0], [5, 5])
    with pytest.raises(ValueError, match="have one score"):
        calibrate([1.0, 1.0], [5, 6])
