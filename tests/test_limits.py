"""The size of what a search finds: regularisation, families, hard limits."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from searches import (
    SMALL,
    MadeUpWorker,
    drive,
    made_up_score,
    small_scorer,
    small_space,
)
from torch import nn

import swapnas_ext as swap
from swapnas_ext.search import (
    Control,
    SearchSettings,
    admission,
    calibrate,
    search,
)


def test_regularised_by_the_size_of_the_final_network() -> None:
    made = SearchSettings(candidates=80, mu=1.0, sigma=0.5, **SMALL)
    found = drive(made).result()
    for row in found.ranked():
        factor = swap.regularization.factor(row.parameters / 1e3, 1.0, 0.5)
        assert row.score == pytest.approx(row.candidate.patterns * factor)
        assert row.candidate.patterns == made_up_score(row.architecture)
    scores = [row.score for row in found.ranked()]
    assert scores == sorted(scores, reverse=True)


def test_max_params_is_kept() -> None:
    space = small_space()
    sizes = [space.size(architecture) for architecture in space]  # type: ignore[attr-defined]
    limit = sorted(sizes)[len(sizes) // 3]
    found = drive(SearchSettings(candidates=100, max_params=limit, **SMALL)).result()
    assert max(candidate.parameters for candidate in found.candidates) <= limit
    assert len(found.candidates) == 100


def test_no_size_is_worked_out_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of a small space is too large: random draws bring the same ones up again and again."""
    space = small_space()
    few = list(space)[::201]  # type: ignore[call-overload]
    limit = sorted(map(space.size, few))[len(few) // 3]
    built: list[str] = []
    original = type(space).size

    class Few(type(space)):  # type: ignore[misc]
        def sample(self, rng: random.Random) -> str:
            return rng.choice(few)

        def mutate(self, architecture: str, rng: random.Random) -> str:
            return rng.choice(few)

        def crossover(self, first: str, second: str, rng: random.Random) -> str:
            return first

        def size(self, architecture: str) -> int:
            built.append(architecture)
            return original(self, architecture)

    monkeypatch.setattr(admission, "_TELL_EVERY", 0.0)
    for strategy in ("evolution", "random"):
        built.clear()
        told: list[int] = []
        made = SearchSettings(candidates=60, max_params=limit, strategy=strategy, **SMALL)
        driver = drive(made, space=Few(channels=2, cells=1), looking=told.append)
        assert driver.exhausted
        assert len(driver.result().candidates) > 10
        assert sorted(built) == sorted(set(built))
        assert max(told) >= 9_999  # draws in a row, before it was given up


def test_limits_that_nothing_meets_say_the_closest() -> None:
    space = small_space()
    smallest = min(space.size(architecture) for architecture in space)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=rf"at most 10 parameters.* has {smallest:,}"):
        drive(SearchSettings(candidates=20, max_params=10, **SMALL))
    with pytest.raises(ValueError, match=r"none of 20 .* at most 100 FLOPs; the closest takes \d"):
        search(space, small_scorer(), SearchSettings(candidates=20, max_flops=100, **SMALL))
    with pytest.raises(ValueError, match=r"at most 1e-09 seconds; the closest takes"):
        search(space, small_scorer(), SearchSettings(candidates=6, max_latency=1e-9, **SMALL))


def test_flops_and_latency_are_measured() -> None:
    space = small_space()
    made = SearchSettings(candidates=12, max_flops=1e9, max_latency=10.0, **SMALL)
    for row in search(space, small_scorer(), made).ranked()[:4]:
        outcome = row.candidate.outcome
        assert outcome is not None
        assert outcome.flops == _flops(space, row.architecture)
        assert outcome.latency is not None
        assert 0 < outcome.latency < 10


def _flops(space: swap.spaces.SearchSpace, architecture: str) -> int:
    """Two for each multiplication, of convolutions and the classifier."""
    total = 0

    def count(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        weight: Any = module.weight
        total += 2 * weight[0].numel() * output.numel()

    model = space.build(architecture).eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    model(torch.zeros(1, *space.input_size))
    return total


def test_some_beyond_the_limit_cost_only_themselves() -> None:
    space = small_space()
    sample = [space.sample(random.Random(k)) for k in range(30)]
    limit = sorted(_flops(space, architecture) for architecture in sample)[15]
    made = SearchSettings(candidates=40, max_flops=limit, **SMALL)
    found = search(space, small_scorer(), made)
    over = [c for c in found.candidates if c.outcome is not None and c.outcome.over]
    assert 0 < len(over) < 40
    assert all(c.outcome is not None and c.outcome.patterns is None for c in over)
    assert not found.failed
    assert len(found.ranked()) == 40 - len(over)
    assert all((row.candidate.outcome.flops or 0) <= limit for row in found.ranked())


def test_a_family_has_a_model_for_each_size() -> None:
    targets = (1500.0, 2500.0, 4000.0)
    made = SearchSettings(candidates=600, target_params=targets, **SMALL)
    worker = MadeUpWorker()
    found = drive(made, [worker]).result()
    assert len(found.controls) == len(found.family) == 3
    for target, row in zip(targets, found.family, strict=True):
        assert row.parameters == pytest.approx(target, rel=0.15)
    assert [control.mu for control in found.controls] == [1.5, 2.5, 4.0]
    phases = {candidate.phase for candidate in found.candidates}
    assert phases == {-1, 0, 1, 2}
    assert len(set(worker.seen)) == len(worker.seen) == len(found.candidates)  # shared by all
    sizes = [row.parameters for row in found.front]
    patterns = [row.candidate.patterns for row in found.front]
    assert sizes == sorted(sizes)
    assert patterns == sorted(patterns)
    for row in found.ranked(Control()):
        assert any(
            best.parameters <= row.parameters and best.log_score >= row.log_score
            for best in found.front
        )


def test_calibration_uses_no_labels_and_repeats() -> None:
    control, found = calibrate(small_space(), small_scorer(), samples=20, seed=1)
    assert control.mu == max(candidate.parameters for candidate in found.candidates) / 1e3
    assert control == calibrate(small_space(), small_scorer(), samples=20, seed=1)[0]
    aimed, _ = calibrate(small_space(), small_scorer(), samples=20, target_params=2000, seed=1)
    assert aimed.mu == 2.0
    assert aimed.sigma is not None
    assert aimed.sigma > 0
