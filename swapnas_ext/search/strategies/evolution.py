"""Which architectures to score next. A strategy proposes some, and is told what became of them, in the
order in which it proposed them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from swapnas_ext.spaces import SearchSpace


@dataclass(frozen=True)
class Individual:
    """An architecture and its score, which may be regularised: ``log_score`` is the logarithm."""

    number: int
    architecture: str
    log_score: float
    parameters: int

    @property
    def score(self) -> float:
        return math.exp(self.log_score)


@dataclass(frozen=True)
class Proposal:
    """Architectures to score together, with the individuals that they were made from."""

    architectures: tuple[str, ...]
    parents: tuple[int, ...] = ()


Admit = Callable[[str], bool]
"""Whether an architecture may be proposed: within the limits, and of a form that was not yet."""


class Strategy(Protocol):
    def ask(self, most: int, admit: Admit) -> Proposal | None:
        """The next architectures, ``most`` of them at most; None where no new ones can be found. Each
        architecture that is admitted has to be proposed."""

    def tell(self, proposal: Proposal, individuals: Sequence[Individual | None]) -> None:
        """What became of each of the proposal; None where there is no score. Where a form was known
        already, the individual is the one that was scored."""


TRIES = 10_000  # random architectures, before a space is taken to hold no new ones
_MUTATIONS = 20  # in a row, until a child is new


def new_sample(space: SearchSpace, rng: random.Random, admit: Admit) -> str | None:
    """An admitted architecture at random."""
    for _ in range(TRIES):
        architecture = space.sample(rng)
        if admit(architecture):
            return architecture
    return None


def new_samples(space: SearchSpace, rng: random.Random, most: int, admit: Admit) -> Proposal | None:
    found = []
    while len(found) < most and (architecture := new_sample(space, rng, admit)) is not None:
        found.append(architecture)
    return Proposal(tuple(found)) if found else None


class RandomSearch:
    """Architectures at random."""

    def __init__(self, space: SearchSpace, rng: random.Random, chunk: int = 8) -> None:
        self._space = space
        self._rng = rng
        self._chunk = chunk

    def ask(self, most: int, admit: Admit) -> Proposal | None:
        return new_samples(self._space, self._rng, min(most, self._chunk), admit)

    def tell(self, proposal: Proposal, individuals: Sequence[Individual | None]) -> None:
        pass


class Evolution:
    """SWAP-NAS (Peng et al., ICLR 2024, arXiv 2403.04161, algorithm 1).

    A random population; then, cycle by cycle, a tournament of some of it, whose best, or a crossover of
    its best two, is the parent; of the parent's mutants, the best joins the population, and the worst
    of all leaves it.

    Args:
        space, rng: where architectures and random choices come from.
        population: P, individuals.
        tournament: k, individuals that a parent is the best of.
        children: M, mutants of a parent that are scored; a mutant that was scored before is mutated again.
        crossover: how often the parent is a crossover of the best two.
        cycles: C, after which no more are proposed; by default as many as are asked for.
        ageing: the oldest leaves, instead of the worst: ageing evolution (Real et al., AAAI 2019, arXiv
            1802.01548).
    """

    def __init__(
        self,
        space: SearchSpace,
        rng: random.Random,
        *,
        population: int,
        tournament: int,
        children: int,
        crossover: float,
        cycles: int | None = None,
        ageing: bool = False,
    ) -> None:
        self.population: list[Individual] = []  # oldest first
        self._size = self._founders = population
        self._founders_asked = self._founders_told = 0
        self._cycles_left = cycles
        self._space = space
        self._rng = rng
        self._tournament = tournament
        self._children = children
        self._crossover = crossover
        self._ageing = ageing

    def ask(self, most: int, admit: Admit) -> Proposal | None:
        most = min(most, self._children)
        if self._founders_asked < self._founders:
            most = min(most, self._founders - self._founders_asked)
            founders = new_samples(self._space, self._rng, most, admit)
            if founders is not None:
                self._founders_asked += len(founders.architectures)
                return founders
            self._founders = (
                self._founders_asked
            )  # there are no more: a small space, or narrow limits
        if self._cycles_left == 0:
            return None
        if self._cycles_left is not None:
            self._cycles_left -= 1
        return self._mutants(most, admit) or new_samples(self._space, self._rng, most, admit)

    def tell(self, proposal: Proposal, individuals: Sequence[Individual | None]) -> None:
        scored = [individual for individual in individuals if individual is not None]
        if self._founders_told < self._founders and not proposal.parents:
            self._founders_told += len(proposal.architectures)
            self.population += scored
        elif scored:
            self.population.append(max(scored, key=_rank))
            if len(self.population) > self._size:
                leaving = self.population[0] if self._ageing else min(self.population, key=_rank)
                self.population.remove(leaving)

    def _mutants(self, most: int, admit: Admit) -> Proposal | None:
        if not self.population:
            return None
        parents, architecture = self._parent()
        mutants = (self._new_mutant(architecture, admit) for _ in range(most))
        found = tuple(mutant for mutant in mutants if mutant is not None)
        return Proposal(found, parents) if found else None

    def _parent(self) -> tuple[tuple[int, ...], str]:
        size = min(self._tournament, len(self.population))
        drawn = sorted(self._rng.sample(self.population, size), key=_rank, reverse=True)
        if len(drawn) > 1 and self._rng.random() < self._crossover:
            first, second = drawn[:2]
            crossed = self._space.crossover(first.architecture, second.architecture, self._rng)
            return (first.number, second.number), crossed
        return (drawn[0].number,), drawn[0].architecture

    def _new_mutant(self, architecture: str, admit: Admit) -> str | None:
        for _ in range(_MUTATIONS):
            architecture = self._space.mutate(architecture, self._rng)
            if admit(architecture):
                return architecture
        return None


def _rank(individual: Individual) -> tuple[float, int]:
    """Of equal scores, the earlier one is better."""
    return individual.log_score, -individual.number
