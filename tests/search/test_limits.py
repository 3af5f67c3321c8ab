"""The size of what a search finds: regularisation, families, hard limits."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from support.searches import SMALL, MadeUpWorker, drive, made_up_score, small_scorer, small_space
from torch import nn

import swapnas_ext as swap
from swapnas_ext.search import (
    Candidate,
    Control,
    Outcome,
    SearchSettings,
    admission,
    calibrate,
    search,
)
from swapnas_ext.search.latency import Latency, Quiet
from swapnas_ext.search.limits import limits_text


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


@pytest.mark.slow
def test_limits_that_nothing_meets_say_the_closest() -> None:
    space = small_space()
    smallest = min(space.size(architecture) for architecture in space)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=rf"at most 10 parameters.* has {smallest:,}"):
        drive(SearchSettings(candidates=20, max_params=10, **SMALL))
    with pytest.raises(ValueError, match=r"none of 20 .* at most 100 FLOPs; the closest takes \d"):
        search(space, small_scorer(), SearchSettings(candidates=20, max_flops=100, **SMALL))
    with pytest.raises(ValueError, match=r"at most 0.001 us; the closest takes"):
        search(space, small_scorer(), SearchSettings(candidates=6, max_latency=1e-9, **SMALL))


@pytest.mark.slow
def test_flops_and_latency_are_measured() -> None:
    space = small_space()
    made = SearchSettings(candidates=12, max_flops=1e9, max_latency=10.0, **SMALL)
    for row in search(space, small_scorer(), made).ranked()[:4]:
        outcome = row.candidate.outcome
        assert outcome is not None
        assert outcome.flops == _flops(space, row.architecture)
        assert outcome.latency is not None
        assert outcome.latency_low is not None
        assert outcome.latency_high is not None
        assert 0 < outcome.latency_low <= outcome.latency <= outcome.latency_high < 10


@pytest.mark.parametrize("count", [5, 6, 9, 15, 16, 101, 2_000])
def test_the_interval_of_a_median_holds_it_95_times_of_100(count: int) -> None:
    interval = Latency.of(range(count, 0, -1))
    assert interval.median == (count + 1) / 2
    below = round(interval.low)  # of so many times, at least, one is beyond the end of the interval
    assert interval.low - 1 == count - interval.high

    def missed(ends: int) -> float:
        """The probability that fewer than so many times lie on one side of the median, twice."""
        return 2 * sum(math.comb(count, k) for k in range(ends)) / 2**count

    assert missed(below) <= 0.05 or below == 1
    assert missed(below + 1) > 0.05


@pytest.mark.slow
def test_latency_is_measured_while_no_other_worker_works(tmp_path: Path) -> None:
    quiet = Quiet()
    script = f"""
import time
from swapnas_ext.search.latency import Quiet
with Quiet({quiet.name!r}).working():
    print("working", flush=True)
    time.sleep(0.5)
    open({str(tmp_path / "worked")!r}, "w").close()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"working\n"
        with quiet.alone():
            assert (tmp_path / "worked").exists()
    quiet.remove()
    assert not list(quiet.path.parent.glob(f"{quiet.name}*"))


def test_candidates_beyond_the_limits_are_told() -> None:
    outcomes = [
        Outcome.of_patterns(5.0, flops=9, latency=0.010, latency_low=0.009, latency_high=0.011),
        Outcome(over="latency", latency=0.021, latency_low=0.019, latency_high=0.023),
        Outcome(over="latency", latency=0.050, latency_low=0.049, latency_high=0.051),
        Outcome(over="flops", flops=2_000_000_000),
    ]
    candidates = [Candidate(k, 0, f"a{k}", f"a{k}", (), 1, o) for k, o in enumerate(outcomes)]
    lines = limits_text(candidates, {"max_latency": 0.02, "max_flops": 1.5e9})
    assert lines == [
        "1 of 4 take more than 1,500 MFLOPs",
        "2 of 4 took longer than 20 ms; latencies are known to within 9.5% (95 % confidence, the median "
        "candidate); too close to the limit to tell: 1",
    ]
    assert limits_text(candidates, {"max_params": 3e6}) == []
    older = [Candidate(0, 0, "a", "a", (), 1, Outcome(over="latency", latency=0.5))]
    assert limits_text(older, {"max_latency": 0.2}) == ["1 of 1 took longer than 200 ms"]


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_calibration_uses_no_labels_and_repeats() -> None:
    control, found = calibrate(small_space(), small_scorer(), samples=20, seed=1)
    assert control.mu == max(candidate.parameters for candidate in found.candidates) / 1e3
    assert control == calibrate(small_space(), small_scorer(), samples=20, seed=1)[0]
    aimed, _ = calibrate(small_space(), small_scorer(), samples=20, target_params=2000, seed=1)
    assert aimed.mu == 2.0
    assert aimed.sigma is not None
    assert aimed.sigma > 0
