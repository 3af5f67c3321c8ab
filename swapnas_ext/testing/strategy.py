"""Checks strategies."""

from __future__ import annotations

import random
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from swapnas_ext import spaces
from swapnas_ext.search import (
    Individual,
    Proposal,
    SearchSettings,
    Strategy,
    StrategyFactory,
    make_strategy,
)
from swapnas_ext.spaces import SearchSpace
from swapnas_ext.testing.require import own_random_numbers_only, require

_Proposed = list[Proposal]


def check_strategy(
    factory: str | StrategyFactory,
    *,
    space: SearchSpace | None = None,
    settings: SearchSettings | None = None,
    candidates: int = 60,
) -> None:
    """Checks a strategy, with made-up scores: no network is built.

    Args:
        factory: a strategy as `SearchSettings` takes it: a class or function, or a name.
        space: the space to search. Default: NAS-Bench-201.
        settings: the settings for ``factory``. Default: a small population.
        candidates: number of architectures that each of several searches asks for.

    Raises:
        AssertionError: says what is wrong.
    """
    if space is None:
        space = spaces.get("nasbench201", channels=2, cells=1)
    if settings is None:
        settings = SearchSettings(population=10, tournament=4, children=3)
    settings = replace(settings, strategy=factory, candidates=candidates)
    for ahead in (1, 4):
        first, second, other = (
            _Search(space, settings, seed, ahead).proposed for seed in (1, 1, 2)
        )
        require(
            first == second,
            "two searches with one seed differ: all random choices must come from the rng",
        )
        require(
            first != other, "two seeds give the same search: random choices must come from the rng"
        )
        for failing in (lambda number: number % 3 == 0, lambda number: True):
            _Search(space, settings, 1, ahead, failing)
    _check_ends(space, settings)


class _Search:
    """A search like that of `Driver`, which checks everything."""

    def __init__(
        self,
        space: SearchSpace,
        settings: SearchSettings,
        seed: int,
        ahead: int,
        failing: Callable[[int], bool] = lambda number: False,
    ) -> None:
        self.proposed: _Proposed = []
        self._space = space
        self._numbers: dict[str, int] = {}  # by form
        self._known: set[int] = set()  # numbers of individuals that were told
        self._fresh: list[str] = []  # admitted since the last proposal
        with own_random_numbers_only("the strategy"):
            strategy = make_strategy(space, random.Random(seed), settings)
            pending: deque[Proposal] = deque()
            while True:
                while len(pending) < ahead and len(self._numbers) < settings.candidates:
                    proposal = self._ask(strategy, settings.candidates - len(self._numbers))
                    if proposal is None:
                        break
                    pending.append(proposal)
                if not pending:
                    break
                self._tell(strategy, pending.popleft(), failing)
        require(self.proposed, "the strategy proposes nothing")

    def _admit(self, architecture: str) -> bool:
        form = self._space.canonical(architecture)
        if form in self._numbers:
            return False
        self._numbers[form] = len(self._numbers)
        self._fresh.append(architecture)
        return True

    def _ask(self, strategy: Strategy, most: int) -> Proposal | None:
        self._fresh = []
        proposal = strategy.ask(most, self._admit)
        if proposal is None:
            require(
                not self._fresh,
                f"ask returns None after {self._fresh} were admitted: they must be proposed",
            )
            return None
        require(isinstance(proposal, Proposal), f"ask returns {proposal!r}, which is no Proposal")
        architectures = list(proposal.architectures)
        require(architectures, "ask returns a proposal of nothing: return None where there is none")
        require(
            len(architectures) <= most,
            f"ask({most}, ...) proposes {len(architectures)} architectures: {most} at most",
        )
        for architecture in architectures:
            require(
                architecture in self._fresh,
                f"{architecture!r} is proposed, and was not admitted in this ask: ask admit about each first",
            )
        require(
            len(set(architectures)) == len(architectures),
            f"an architecture is proposed twice in {architectures}",
        )
        left = set(self._fresh) - set(architectures)
        require(not left, f"{sorted(left)} were admitted, and not proposed: they count as tried")
        strangers = set(proposal.parents) - self._known
        require(
            not strangers,
            f"the parents {sorted(strangers)} are no numbers of individuals that the strategy was told of",
        )
        self.proposed.append(proposal)
        return proposal

    def _tell(self, strategy: Strategy, proposal: Proposal, failing: Callable[[int], bool]) -> None:
        individuals: list[Individual | None] = []
        for architecture in proposal.architectures:
            number = self._numbers[self._space.canonical(architecture)]
            if failing(number):
                individuals.append(None)
                continue
            self._known.add(number)
            made_up = zlib.crc32(architecture.encode())
            individuals.append(
                Individual(number, architecture, made_up % 1000 / 100, 1000 + made_up % 77)
            )
        strategy.tell(proposal, individuals)


def _check_ends(space: SearchSpace, settings: SearchSettings) -> None:
    strategy = make_strategy(space, random.Random(1), settings)
    for _ in range(3):
        require(
            strategy.ask(5, lambda architecture: False) is None,
            "ask proposes something though nothing is admitted: it must return None",
        )
