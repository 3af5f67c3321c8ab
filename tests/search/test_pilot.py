"""The pilot: what it chooses from made-up readings, and what it chooses of small spaces."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import torch
from support.searches import small_space
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.measures import PreparedNetwork
from swapnas_ext.patterns import Observer
from swapnas_ext.search import pilot, pilot_ladder
from swapnas_ext.search.pilot_choice import (
    MOST_REPEATS,
    Problem,
    Setting,
    Trial,
    best,
    judged,
    repeats_needed,
    spearman,
    spearman_brown,
)

S16, S32 = Setting(16, 32), Setting(32, 32)


def readings(noise: float, count: int = 24, seed: int = 0) -> list[tuple[float, float]]:
    """Two readings of architectures, of which each adds noise of its own."""
    rng = random.Random(seed)
    true = [rng.gauss(0, 1) for _ in range(count)]
    return [(value + rng.gauss(0, noise), value + rng.gauss(0, noise)) for value in true]


def trial(setting: Setting = S16, **changed: Any) -> Trial:
    settings: dict[str, Any] = {
        "seconds": 0.1,
        "saturated": [False] * 24,
        "pairs": readings(0.05),
        "repeats": None,
        **changed,
    }
    return judged(setting, **settings)


def test_spearman() -> None:
    assert spearman([(1, 10), (2, 20), (3, 25)]) == pytest.approx(1)
    assert spearman([(1, 3), (2, 2), (3, 1)]) == pytest.approx(-1)
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4.
    assert spearman([(1, 1), (2, 2), (2, 3), (9, 4)]) == pytest.approx(0.9486832981)
    assert spearman([(1, 1), (1, 2), (1, 3)]) is None
    assert spearman([]) is None


def test_repeats() -> None:
    assert spearman_brown(0.5, 3) == pytest.approx(0.75)
    assert spearman_brown(-0.2, 3) == 0
    assert repeats_needed(1.0, 24) == 1
    assert repeats_needed(0.96, 24) == 1
    many = 10**8  # so that there is no doubt
    for agreement in (0.3, 0.6, 0.9):
        needed = repeats_needed(agreement, many)
        assert needed is not None
        assert spearman_brown(agreement, needed) >= 0.95 - 1e-3
        assert spearman_brown(agreement, needed - 1) < 0.95
    assert repeats_needed(0.94, 8) == 1  # so few architectures do not tell it from 0.95
    assert repeats_needed(0.94, many) == 2
    assert repeats_needed(-0.5, 24) is None


def test_a_good_setting() -> None:
    found = trial()
    assert found.is_good
    assert found.repeats == 1


def test_a_noisy_measure_gets_more_repeats() -> None:
    found = trial(pairs=readings(0.6))
    assert found.is_good
    assert found.repeats > 1
    assert found.reached is not None
    assert found.agreement is not None
    assert found.reached > found.agreement
    assert trial(pairs=readings(1.0)).repeats > found.repeats


def test_given_repeats_stay() -> None:
    assert trial(repeats=3).repeats == 3
    noisy = trial(pairs=readings(1.0), repeats=2)
    assert (noisy.repeats, noisy.problem) == (2, Problem.NOT_REPEATABLE)


def test_noise_alone_is_not_repeatable() -> None:
    rng = random.Random(3)
    pairs = [(rng.random(), float(-place)) for place in range(24)]
    pairs = [(-second, second) for _, second in pairs]
    found = trial(pairs=pairs)
    assert (found.repeats, found.problem) == (MOST_REPEATS, Problem.NOT_REPEATABLE)


def test_a_constant_measure_is_told() -> None:
    found = trial(pairs=[(1.0, 1.0)] * 24)
    assert found.agreement is None
    assert found.problem is Problem.ALL_THE_SAME


@pytest.mark.parametrize("count", [0, 1, 2, 24])
def test_few_may_be_saturated(count: int) -> None:
    found = trial(saturated=[place < count for place in range(24)])
    assert (found.problem is Problem.SATURATED) == (count > 1)
    assert found.saturated == count


def test_smaller_images_keep_the_order() -> None:
    assert trial(kept=0.99, needs_kept=True).is_good
    assert trial(kept=0.8, needs_kept=True).problem is Problem.OTHER_ORDER
    assert trial(kept=None, needs_kept=True).problem is Problem.NOT_COMPARED


def test_the_cheapest_good_one_is_chosen() -> None:
    saturated = trial(S16, saturated=[True] * 24, seconds=0.01)
    twice = trial(S16, repeats=2, seconds=0.1)
    once = trial(S32, repeats=1, seconds=0.15)
    assert best([saturated, twice, once]) is once
    assert best([saturated, trial(S16, repeats=1, seconds=0.1), once]).samples == 16


def test_the_best_of_bad_ones() -> None:
    all_saturated = trial(S16, saturated=[True] * 24)
    some = trial(S32, saturated=[True] * 5 + [False] * 19, seconds=9.0)
    assert best([all_saturated, some]) is some


class Rows(swap.spaces.SearchSpace):
    """A convolution of some channels."""

    input_size = (3, 8, 8)
    channels = (1, 40)

    def parse(self, text: str) -> int:
        return int(text)

    def format(self, parsed: int) -> str:
        return str(parsed)

    def canonical(self, architecture: str) -> str:
        return architecture

    def _build(self, architecture: str) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, int(architecture), 3, padding=1), nn.ReLU())

    def sample(self, rng: random.Random) -> str:
        return str(rng.randint(*self.channels))

    def mutate(self, architecture: str, rng: random.Random) -> str:
        return self.sample(rng)

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        return first


class OfNoise(Rows):
    """Takes random images, so that patterns are many."""

    def inputs(self, samples: int, source: Any = None, size: int | None = None) -> Tensor:
        size = size or self.input_size[1]
        generator = torch.Generator().manual_seed(samples)
        return torch.randn(samples, 3, size, size, generator=generator)


class FewNeurons(OfNoise):
    channels = (11, 40)


class ManyNeurons(OfNoise):
    input_size = (3, 32, 32)
    channels = (210, 250)


class Few(Rows):
    channels = (1, 3)


def noisy(network: PreparedNetwork) -> float:
    """Grows with the size, with much noise from the weights."""
    weight = next(network.model.parameters())
    return weight.numel() ** 0.5 / 10 + 0.5 * float(weight.flatten()[-1])


def constant(network: PreparedNetwork) -> float:
    return 1.0


def test_a_repeatable_measure_of_a_space() -> None:
    found = pilot(small_space(), {"measure": "params"}, seconds=600)
    assert (found.samples, found.repeats, found.size) == (16, 1, None)
    assert [found.trials[0].agreement] == [pytest.approx(1)]
    assert "S = 16, R = 1, 32 x 32: agreement between two readings 1.00" in found.sentence
    assert "24 architectures" in found.sentence
    json.dumps(found.for_json(), allow_nan=False)


@pytest.mark.slow
@pytest.mark.parametrize(("space", "fewest", "most"), [(FewNeurons, 9, 12), (ManyNeurons, 17, 19)])
def test_a_saturated_space_gets_other_samples(
    space: type[swap.spaces.SearchSpace], fewest: int, most: int
) -> None:
    """Between too few possible patterns for the neurons, and so many that each neuron has its own."""
    found = pilot(space(), {"measure": "swap", "init": "gaussian"}, repeats=1, seconds=60)
    first = found.trials[0]
    assert (first.samples, first.problem) == (16, Problem.SATURATED)
    assert fewest <= found.samples <= most
    assert found.trials[-1].saturated == 0
    assert f"at S = 16, {first.size} px, {first.saturated} of 24 are saturated" in found.sentence


def test_a_saturated_space_gets_more_samples_when_the_time_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        pilot_ladder.Ladder, "_has_time", lambda self, setting, _: setting.samples == 16
    )
    found = pilot(ManyNeurons(), {"measure": "swap", "init": "gaussian"}, seconds=60)
    assert [trial.problem for trial in found.trials] == [Problem.SATURATED]
    assert 17 <= found.samples <= 19
    assert "not tried; at S = 16, 32 px, 24 of 24 are saturated" in found.sentence


@pytest.mark.parametrize("repeats", [1, None])
def test_a_noisy_measure_of_a_space(repeats: int | None) -> None:
    found = pilot(Rows(), {"measure": noisy, "init": "gaussian"}, repeats=repeats, seconds=60)
    if repeats == 1:
        assert found.repeats == 1
        assert "not repeatable" in found.sentence
    else:
        assert found.repeats > 1
        assert f"of {found.repeats} repeats" in found.sentence


def test_a_constant_measure_of_a_space() -> None:
    found = pilot(Rows(), {"measure": constant}, seconds=60)
    assert found.repeats == 1
    assert "all scores are the same" in found.sentence


def test_given_numbers_stay() -> None:
    found = pilot(Rows(), {"measure": "params"}, samples=5, size=4, repeats=3, seconds=60)
    assert (found.samples, found.size, found.repeats) == (5, 4, 3)


def test_the_first_of_several_measures_decides() -> None:
    found = pilot(Rows(), {"measure": "params,swap", "init": "gaussian"}, samples=4, seconds=60)
    assert found.trials[0].agreement == pytest.approx(1)


@pytest.mark.slow
def test_one_seed_reads_the_same() -> None:
    options: Any = {"measure": "swap", "init": "gaussian", "seed": 4}
    first, again = (pilot(Rows(), options, samples=8, seconds=60) for _ in range(2))
    assert first.trials[0].agreement == again.trials[0].agreement
    other = pilot(Rows(), {**options, "seed": 5}, samples=8, seconds=60)
    assert first.trials[0].agreement != other.trials[0].agreement


def test_no_time_is_told() -> None:
    found = pilot(Rows(), {"measure": "params"}, seconds=1e-9)
    assert (found.samples, found.repeats, found.size) == (16, 1, None)
    assert "time was up" in found.sentence


def test_a_space_that_is_too_small() -> None:
    with pytest.raises(ValueError, match="were only 3: give numbers of samples and repeats"):
        pilot(Few(), {"measure": "params"})


def test_a_measure_that_fails() -> None:
    def broken(network: PreparedNetwork) -> float:
        raise OSError("no such thing here")

    with pytest.raises(RuntimeError, match=r"none of 24 architectures could be scored.*no such"):
        pilot(Rows(), {"measure": broken}, seconds=60)


def test_too_few_images(tmp_path: Any) -> None:
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "some.npy", images)
    found = pilot(
        Rows(), {"measure": "swap", "init": "gaussian"}, source=tmp_path / "some.npy", seconds=60
    )
    assert all(one.samples <= 20 for one in found.trials)
    np.save(tmp_path / "few.npy", images[:4])
    with pytest.raises(ValueError, match="4"):
        pilot(Rows(), {"measure": "params"}, source=tmp_path / "few.npy", seconds=60)


class OfManySizes(Rows):
    input_size = (3, 64, 64)


def test_smaller_images_are_taken_where_the_order_is_the_same() -> None:
    found = pilot(OfManySizes(), {"measure": "params"}, seconds=60)
    assert found.size == 32
    assert found.trials[0].kept == pytest.approx(1)
    assert pilot(OfManySizes(), {"measure": "params"}, samples=4, seconds=60).size is None


@pytest.mark.slow
def test_smaller_images_are_not_taken_where_the_order_changes() -> None:
    def by_size(network: PreparedNetwork) -> float:
        found: list[int] = []

        class Positions(Observer):
            def update(self, x: Tensor) -> None:
                found.append(x.shape[-1])

        network.run(Positions(network.samples, network.ternary))
        parameters = sum(weight.numel() for weight in network.model.parameters())
        return float(parameters if found[0] > 32 else -parameters)

    found = pilot(OfManySizes(), {"measure": by_size}, seconds=60)
    assert found.size is None
    assert found.trials[0].problem is Problem.OTHER_ORDER
    assert "at S = 16, 32 px, larger images rank otherwise (agreement -1.00)" in found.sentence
