"""What searches expect of spaces, strategies and workers: of those that come along, and of some that break it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from support.searches import OPTIONS, small_space
from torch import nn

import swapnas_ext as swap
from swapnas_ext.search import STRATEGIES, Evaluator, ExecutorWorker, Outcome, Proposal
from swapnas_ext.search.workers import LocalProcess, Portable, ThisProcess
from swapnas_ext.spaces import Graph
from swapnas_ext.spaces.nasbench201 import NASBench201
from swapnas_ext.testing import check_space, check_strategy, check_worker

SPACES: dict[str, dict[str, Any]] = {
    "darts": {"layers": 3},
    "nasbench101": {"channels": 4},
    "nasbench201": OPTIONS,
    "transnas-micro": {},
    "transnas-macro": {},
    "mobilenet": {},
    "flexibert": {},
    "nasbench-macro": {},
    "efficientnet": {"resolution": 64},
    "autoformer": {"resolution": 32},
}


def test_all_spaces_are_checked() -> None:
    assert [*SPACES] == swap.spaces.names()


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_spaces(name: str) -> None:
    check_space(swap.spaces.get(name, **SPACES[name]))


@pytest.mark.slow
def test_the_example_of_a_space_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples"))
    import own_space

    check_space(own_space.Stack())


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES)
def test_strategies(name: str) -> None:
    check_strategy(name, candidates=30 if name == "optuna" else 60)


def threads(evaluator: Evaluator) -> ExecutorWorker:
    return ExecutorWorker(Portable(evaluator), ThreadPoolExecutor(2))


@pytest.mark.slow
def test_workers() -> None:
    check_worker(ThisProcess)
    check_worker(threads)
    check_worker(lambda evaluator: LocalProcess(Portable(evaluator).content), revives=True)
    with ProcessPoolExecutor(1) as executor:
        check_worker(lambda evaluator: ExecutorWorker(Portable(evaluator), executor))


# ---- what breaks it --------------------------------------------------------------------------------

FIRST = next(iter(small_space()))  # type: ignore[call-overload]


class Broken(NASBench201):
    def __init__(self) -> None:
        super().__init__(**OPTIONS)


def _build_more(self: Any, architecture: str) -> nn.Module:
    return nn.Sequential(NASBench201._build(self, architecture), nn.Linear(10, 10))


def _build_for_others(self: Any, architecture: str) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(7, 10))


FAULTS: list[tuple[str, Callable[..., Any], str]] = [
    ("format", lambda self, parsed: FIRST, r"format\(parse\(x\)\) must be x"),
    ("sample", lambda self, rng: "x", "can't be changed"),
    ("crossover", lambda self, first, second, rng: "x", "which does not parse"),
    ("sample", lambda self, rng: FIRST, "sample gives nothing but"),
    ("sample", lambda self, rng: NASBench201.sample(self, random), "global random numbers"),
    (
        "sample",
        lambda self, rng: NASBench201.sample(self, random.Random()),
        "two rngs of one seed give different",
    ),
    ("mutate", lambda self, text, rng: text, "mutate leaves .* as it is"),
    ("crossover", lambda self, first, second, rng: FIRST, "crossover of .* with itself gives"),
    ("parse", lambda self, text: NASBench201.parse(self, text or FIRST), r"parse\(''\) must raise"),
    ("canonical", lambda self, text: str(random.Random().random()), "another one each time"),
    ("canonical", lambda self, text: "all alike", "compute different functions"),
    ("size", lambda self, text: 3, "parameters, and size says 3"),
    ("size", lambda self, text: None, "it must be a number"),
    ("_build", _build_for_others, "can't be run on|and size says"),
    ("_build", lambda self, text: torch.relu, "no torch module"),
    ("inputs", lambda self, samples, *_: torch.zeros(samples, 5, 8, 8), "can't be run on inputs"),
    ("inputs", lambda self, samples, *_: torch.zeros(7, 3, 8, 8), r"inputs\(2\) has 7 samples"),
    ("formats", lambda self, text: {"mine": 3}, "must be texts by their names"),
    ("graphs", lambda self, text: [Graph("", ("a", "b"), ((1, 0, ""),))], "from node 1 to 0"),
    ("__getstate__", lambda self: {"lock": threading.Lock()}, "can't travel .* TypeError"),
    ("__getstate__", lambda self: {**vars(self), "channels": 3}, "is another space"),
    ("__iter__", lambda self: iter([FIRST, FIRST]), "gives some twice"),
    ("__iter__", lambda self: iter([FIRST]), "of 1 architectures"),
]


@pytest.mark.parametrize(("name", "fault", "told"), FAULTS)
def test_spaces_that_break_it(
    name: str, fault: Callable[..., Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Broken, name, fault, raising=False)
    with pytest.raises(AssertionError, match=told):
        check_space(Broken(), samples=20)


class Walk:
    """A strategy that keeps everything."""

    def __init__(self, space: Any, rng: random.Random, settings: Any) -> None:
        self.space, self.rng = space, rng
        self.here = space.sample(rng)

    def next(self, admit: Callable[[str], bool]) -> str | None:
        for _ in range(200):
            self.here = self.space.mutate(self.here, self.rng)
            if admit(self.here):
                return self.here
        return None

    def ask(self, most: int, admit: Callable[[str], bool]) -> Proposal | None:
        found = self.next(admit)
        return None if found is None else Proposal((found,))

    def tell(self, proposal: Proposal, individuals: Sequence[Any]) -> None:
        pass


def test_a_strategy_that_keeps_everything() -> None:
    check_strategy(Walk)


@pytest.mark.slow
def test_the_strategy_of_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs/searching.md").read_text()
    (snippet,) = [part for part in text.split("```") if "class HillClimb" in part]
    found: dict[str, Any] = {"swap": swap}
    exec(snippet.removeprefix("python"), found)
    check_strategy(found["HillClimb"])
    assert found["settings"].strategy is found["HillClimb"]


class Unasked(Walk):
    def ask(self, most: int, admit: Callable[[str], bool]) -> Proposal | None:
        return Proposal((self.space.sample(self.rng),))


class TooMany(Walk):
    def ask(self, most: int, admit: Callable[[str], bool]) -> Proposal | None:
        found = [text for text in (self.next(admit) for _ in range(7)) if text]
        return Proposal(tuple(found)) if found else None


class Forgets(Walk):
    def ask(self, most: int, admit: Callable[[str], bool]) -> Proposal | None:
        self.next(admit)
        return super().ask(most, admit)


class OwnRandom(Walk):
    def __init__(self, space: Any, rng: random.Random, settings: Any) -> None:
        super().__init__(space, random.Random(), settings)


class GlobalRandom(Walk):
    def __init__(self, space: Any, rng: random.Random, settings: Any) -> None:
        super().__init__(space, random, settings)  # type: ignore[arg-type]


class Unseeded(Walk):
    def __init__(self, space: Any, rng: random.Random, settings: Any) -> None:
        super().__init__(space, random.Random(0), settings)


class NeedsScores(Walk):
    def tell(self, proposal: Proposal, individuals: Sequence[Any]) -> None:
        max(individual.score for individual in individuals)


class Nothing(Walk):
    def ask(self, most: int, admit: Callable[[str], bool]) -> Proposal | None:
        return Proposal(())


class Parents(Walk):
    def ask(self, most: int, admit: Callable[[str], bool]) -> Proposal | None:
        found = super().ask(most, admit)
        return None if found is None else Proposal(found.architectures, (10**6,))


@pytest.mark.parametrize(
    ("strategy", "kind", "told"),
    [
        (Unasked, AssertionError, "was not admitted in this ask"),
        (TooMany, AssertionError, "architectures: .* at most"),
        (Forgets, AssertionError, "were admitted, and not proposed|after .* were admitted"),
        (OwnRandom, AssertionError, "two searches with one seed differ"),
        (GlobalRandom, AssertionError, "global random numbers"),
        (Unseeded, AssertionError, "two seeds give the same search"),
        (NeedsScores, AttributeError, "'NoneType' object has no attribute 'score'"),
        (Nothing, AssertionError, "a proposal of nothing"),
        (Parents, AssertionError, r"the parents \[1000000\] are no numbers"),
    ],
)
def test_strategies_that_break_it(strategy: Any, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        check_strategy(strategy)


class Reversed(ThisProcess):
    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        return super().submit(architectures[::-1])


class Short(ThisProcess):
    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        return super().submit(architectures[1:])


class Silent(ThisProcess):
    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        return Future()


class Fragile(ThisProcess):
    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        if "failing" in architectures:
            raise RuntimeError("a network fails")
        return super().submit(architectures)


class Hopeful(ThisProcess):
    def revive(self, error: BaseException) -> bool:
        return True


class Idle(ThisProcess):
    depth = 0


@pytest.mark.parametrize(
    ("worker", "told"),
    [
        (Reversed, "must be in the order of the architectures"),
        (Short, "9 architectures are answered with 8 outcomes"),
        (Silent, "no answer in 1 s"),
        (Fragile, "a network that fails must be an outcome with an error"),
        (Hopeful, "revive must return False"),
        (Idle, "depth must be 1 or more, and is 0"),
    ],
)
def test_workers_that_break_it(worker: Any, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        check_worker(worker, timeout=1.0)
