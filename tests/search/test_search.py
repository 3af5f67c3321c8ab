"""Searches: one result for one seed, and what can go wrong."""

from __future__ import annotations

import random
import statistics
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from support.searches import SMALL, MadeUpWorker, drive, essence, small_scorer, small_space
from torch import nn

import swapnas_ext as swap
from swapnas_ext.report.search.text import to_text
from swapnas_ext.search import (
    STRATEGIES,
    Outcome,
    RunFile,
    SearchResult,
    SearchSettings,
    evolve,
    search,
)
from swapnas_ext.search.one_thread import one_thread


class SlowestFirst(MadeUpWorker):
    """Finishes what it has in the opposite order."""

    depth = 5

    def __init__(self) -> None:
        super().__init__()
        self._held: list[Any] = []

    def submit(self, architectures: Sequence[str]) -> Any:
        future: Any = super().submit(architectures)
        outcomes = future.result()
        held: Any = type(future)()
        self._held.append((held, outcomes))
        if len(self._held) == self.depth:
            self.release()
        return held

    def release(self) -> None:
        for held, outcomes in reversed(self._held):
            held.set_result(outcomes)
        self._held.clear()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("ahead", [1, 4])
def test_workers_make_no_difference(strategy: str, ahead: int) -> None:
    made = SearchSettings(candidates=90, strategy=strategy, ahead=ahead, seed=3, **SMALL)
    expected = essence(drive(made).result().candidates)
    assert len(expected) == 90
    for workers in (1, 2, 7):
        crew = [MadeUpWorker() for _ in range(workers)]
        assert essence(drive(made, crew).result().candidates) == expected
    other = SearchSettings(candidates=90, strategy=strategy, ahead=ahead, seed=4, **SMALL)
    assert essence(drive(other).result().candidates) != expected


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_form_is_scored_twice(strategy: str) -> None:
    worker = MadeUpWorker()
    drive(SearchSettings(candidates=400, strategy=strategy, **SMALL), [worker])
    space = small_space()
    assert len(worker.seen) == 400
    assert len({space.canonical(architecture) for architecture in worker.seen}) == 400


@pytest.mark.slow
def test_evolution_finds_more_than_chance() -> None:
    scores = {
        strategy: [
            drive(SearchSettings(candidates=150, strategy=strategy, seed=seed, **SMALL))
            .result()
            .best.score
            for seed in range(8)
        ]
        for strategy in ("evolution", "random")
    }
    assert sum(scores["evolution"]) > sum(scores["random"]) + 8 * 20


@pytest.fixture(scope="module")
def expected() -> SearchResult:
    """With real networks, in this process."""
    made = SearchSettings(candidates=40, seed=1, **SMALL)
    return search(small_space(), small_scorer(), made)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_scores_are_those_of_the_scorer(expected: SearchResult) -> None:
    space, scorer = small_space(), small_scorer()
    with one_thread():
        for row in expected.ranked()[:5]:
            assert row.score == float(scorer(space.build(row.architecture)))
            assert row.parameters == space.size(row.architecture)
    assert expected.best.score == max(row.score for row in expected.ranked())


@pytest.mark.slow
def test_local_processes_and_executors_give_the_same(expected: SearchResult) -> None:
    made = SearchSettings(candidates=40, seed=1, **SMALL)
    found = search(small_space(), small_scorer(), made, workers=2)
    assert essence(found.candidates) == essence(expected.candidates)
    with ThreadPoolExecutor(3) as threads:
        found = search(small_space(), small_scorer(), made, workers=threads)
        assert essence(found.candidates) == essence(expected.candidates)
        assert threads.submit(int, 3).result() == 3  # it is left open


def test_leaves_the_process_as_it_was(expected: SearchResult) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state(), torch.get_num_threads(), random.getstate()
    search(small_space(), small_scorer(), SearchSettings(candidates=5, **SMALL))
    after = torch.get_rng_state(), torch.get_num_threads(), random.getstate()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


@pytest.mark.parametrize("repeats", [1, 2])
def test_weights_of_the_networks_own_are_the_same_everywhere(repeats: int) -> None:
    made = SearchSettings(candidates=12, seed=1, **SMALL)
    scorer = swap.Scorer(swap.data.photograph(8, 16), init="keep", repeats=repeats, seed=3)
    torch.manual_seed(1)
    first = search(small_space(), scorer, made)
    torch.manual_seed(2)
    with ThreadPoolExecutor(2) as threads:
        second = search(small_space(), scorer, made, workers=threads)
    assert essence(first.candidates) == essence(second.candidates)
    of_repeats = []
    for repeat in range(repeats):
        torch.manual_seed(3 + repeat)
        one = swap.Scorer(swap.data.photograph(8, 16))
        with one_thread():
            of_repeats.append(one(small_space().build(first.best.architecture)))
    outcome = first.best.candidate.outcome
    assert outcome is not None and outcome.patterns == statistics.fmean(of_repeats)


@pytest.mark.slow
def test_evolve_is_the_published_algorithm() -> None:
    arguments = {**SMALL, "cycles": 5, "seed": 2}
    found = evolve(small_space(), small_scorer(), **arguments)
    assert len(found.candidates) == SMALL["population"] + 5 * SMALL["children"]
    with ThreadPoolExecutor(2) as threads:
        again = evolve(small_space(), small_scorer(), workers=threads, **arguments)
    assert essence(again.candidates) == essence(found.candidates)
    assert evolve(small_space(), small_scorer(), ageing=True, **arguments).best.score > 0


# ---- failures ------------------------------------------------------------------------------------


def test_what_can_not_be_scored_costs_only_itself() -> None:
    made = SearchSettings(candidates=60, **SMALL)
    tried = [candidate.architecture for candidate in drive(made).result().candidates]
    failing = frozenset(tried[::4])
    found = drive(made, [MadeUpWorker(failing)]).result()
    assert len(found.candidates) == 60
    assert {tried[0], tried[4]} <= {candidate.architecture for candidate in found.failed}
    assert not failing & {row.architecture for row in found.ranked()}


def test_tight_limits_are_not_given_up_early() -> None:
    """Few architectures are small enough to be found at random; their mutants are."""

    class Rare(type(small_space())):  # type: ignore[misc]
        def sample(self, rng: random.Random) -> str:
            return small if rng.random() < 1e-3 else large

        def size(self, architecture: str) -> int:
            return 10**6 if architecture == large else super().size(architecture)

    large, small = list(small_space())[-1], list(small_space())[700]  # type: ignore[call-overload]
    for ahead in (1, 8):
        made = SearchSettings(candidates=25, ahead=ahead, max_params=5e5, **SMALL)
        found = drive(made, space=Rare(channels=2, cells=1)).result()
        assert len(found.candidates) == 25


@pytest.mark.slow
def test_ctrl_c_while_calibrating(tmp_path: Path) -> None:
    def impatient(progress: Any) -> None:
        raise KeyboardInterrupt

    made = SearchSettings(candidates=60, target_params=(2000.0, 3000.0), **SMALL)
    path = tmp_path / "run.db"
    found = search(small_space(), small_scorer(), made, history=path, on_progress=impatient)
    assert found.interrupted
    assert found.family == []
    assert found.best.score > 0
    with RunFile.read(path) as run_file:
        assert SearchResult.of(run_file).family == []
        assert to_text(SearchResult.of(run_file), top=3, about=run_file.about)
    whole = search(small_space(), small_scorer(), made, history=path)
    assert essence(whole.candidates) == essence(
        search(small_space(), small_scorer(), made).candidates
    )
    assert len(whole.family) == 2


class Nasty(type(small_space())):  # type: ignore[misc]
    """Networks that raise what no one expects."""

    def _build(self, architecture: str) -> nn.Module:
        kind = zlib.crc32(architecture.encode()) % 8
        if kind == 0:
            raise SystemExit(3)
        if kind == 1:
            raise NoText
        if kind == 2:
            raise ValueError("a lone surrogate: \udc80")
        return super()._build(architecture)


class NoText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_whatever_a_network_raises_costs_only_itself(tmp_path: Path) -> None:
    made = SearchSettings(candidates=40, **SMALL)
    space = Nasty(channels=2, cells=1)
    found = search(space, small_scorer(), made, history=tmp_path / "run.db")
    errors = {(c.outcome.error or "").split(":")[0] for c in found.failed if c.outcome}
    assert errors == {"SystemExit", "NoText", "ValueError"}
    assert len(found.candidates) == 40


@pytest.mark.slow
def test_limits_come_before_calibration() -> None:
    made = SearchSettings(candidates=40, target_params=(1e6,), max_params=10.0, **SMALL)
    with pytest.raises(ValueError, match="the smallest that was tried has 1,332"):
        drive(made)


def test_all_failing_ends_early() -> None:
    class Refusing(MadeUpWorker):
        def outcome(self, architecture: str) -> Outcome:
            return Outcome(error="ValueError: no")

    worker = Refusing()
    with pytest.raises(RuntimeError, match="could be scored: ValueError: no"):
        drive(SearchSettings(candidates=1000, **SMALL), [worker])
    assert len(worker.seen) < 150


def test_nothing_that_can_be_scored() -> None:
    class Refusing(MadeUpWorker):
        def outcome(self, architecture: str) -> Outcome:
            return Outcome(error="ValueError: no")

    with pytest.raises(RuntimeError, match=r"none of 24 .* could be scored: ValueError: no"):
        drive(SearchSettings(candidates=24, **SMALL), [Refusing()])


def test_a_space_that_is_used_up() -> None:
    few = list(small_space())[:40]  # type: ignore[call-overload]

    class Tiny(type(small_space())):  # type: ignore[misc]
        def sample(self, rng: random.Random) -> str:
            return rng.choice(few)

        def mutate(self, architecture: str, rng: random.Random) -> str:
            return self.sample(rng)

        def crossover(self, first: str, second: str, rng: random.Random) -> str:
            return first

    space = Tiny(channels=2, cells=1)
    forms = {space.canonical(architecture) for architecture in few}
    for strategy in ("evolution", "random"):
        made = drive(SearchSettings(candidates=1000, strategy=strategy, **SMALL), space=space)
        assert made.exhausted
        assert {candidate.form for candidate in made.result().candidates} == forms


@pytest.mark.slow
def test_ctrl_c_gives_the_result_so_far(tmp_path: Path) -> None:
    made = SearchSettings(candidates=60, seed=1, **SMALL)

    def impatient(progress: Any) -> None:
        if progress.done >= 20:
            raise KeyboardInterrupt

    path = tmp_path / "run.db"
    found = search(small_space(), small_scorer(), made, history=path, on_progress=impatient)
    assert found.interrupted
    assert 20 <= len(found.ranked()) < 60
    whole = search(small_space(), small_scorer(), made, history=path)
    assert not whole.interrupted
    assert essence(whole.candidates) == essence(
        search(small_space(), small_scorer(), made).candidates
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"strategy": "luck"}, "strategy must be one of evolution, ageing"),
        ({"candidates": 0}, "candidates must be at least 1"),
        ({"tournament": 0}, "tournament must be"),
        ({"crossover": 1.5}, "crossover must be from 0 to 1"),
        ({"mu": 1.0}, "mu and sigma go together"),
        ({"mu": 1.0, "sigma": 1.0, "target_params": (1e6,)}, "not both"),
        ({"max_params": -1.0}, "max_params must be positive"),
        ({"max_flops": float("nan")}, "max_flops must be positive"),
        ({"target_params": (1e6,) * 4, "candidates": 3}, "too few for 4 sizes"),
        ({"cycles": -1}, "cycles must be"),
    ],
)
def test_bad_settings(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        SearchSettings(**options)


def test_other_bad_arguments() -> None:
    made = SearchSettings(candidates=5, **SMALL)
    with pytest.raises(TypeError, match="candidates must be an int"):
        SearchSettings(candidates=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not to the scorer"):
        search(small_space(), small_scorer(mu=1.0, sigma=1.0), made)
    with pytest.raises(ValueError, match="workers must be at least 1"):
        search(small_space(), small_scorer(), made, workers=0)
    with pytest.raises(TypeError, match="workers must be a number"):
        search(small_space(), small_scorer(), made, workers=1.5)  # type: ignore[arg-type]


@pytest.mark.slow
def test_optuna_sees_score_and_size() -> None:
    found = drive(SearchSettings(candidates=200, strategy="optuna", population=20)).result()
    assert len(found.candidates) == 200
    early = [c.patterns for c in found.candidates[:60]]
    late = [c.patterns for c in found.candidates[-60:]]
    assert sum(late) > sum(early) or min(c.parameters for c in found.candidates[-60:]) <= min(
        c.parameters for c in found.candidates[:60]
    )


def test_the_example_of_a_space_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples"))
    import own_space

    space = own_space.Stack()
    for text, place in (("16k3-32k9", 5), ("16k3", 0), ("", 0), ("16k3-", 5), ("16k3-x", 5)):
        with pytest.raises(swap.spaces.ArchitectureError) as told:
            space.parse(text)
        assert told.value.position == place
    found = evolve(space, small_scorer(), population=4, tournament=2, cycles=1, max_params=20_000)
    assert found.best.parameters <= 20_000
