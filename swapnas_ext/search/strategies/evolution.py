"""SWAP-NAS, and ageing evolution."""

from __future__ import annotations

import random
from collections.abc import Sequence

from swapnas_ext.search.strategies.base import Admit, Individual, Proposal
from swapnas_ext.search.strategies.random_search import new_samples
from swapnas_ext.spaces import SearchSpace

_MUTATIONS = 20  # of one parent, until a child is new


class Evolution:
    """SWAP-NAS (Peng et al., ICLR 2024, arXiv 2403.04161, algorithm 1).

    It starts with a random population. Each cycle draws a tournament, takes its best (or a crossover of its best
    two) as the parent, and has mutants of the parent scored; the best of these joins the population, and the
    worst individual of all leaves it.

    Args:
        space: the space of the architectures.
        rng: draws the random choices.
        population: P, the number of individuals.
        tournament: k, the number of individuals in a tournament.
        children: M, the number of mutants of a parent that are scored. A mutant that is known already is mutated
            again.
        crossover: the probability that the parent is a crossover of the best two.
        cycles: C, the number of cycles; unlimited by default.
        ageing: whether the oldest individual leaves instead of the worst: ageing evolution (Real et al., AAAI 2019,
            arXiv 1802.01548).
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
            # There are no more: the space is small, or the limits are narrow.
            self._founders = self._founders_asked
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
    """Sorts by score; of equal scores, the earlier individual is better."""
    return individual.log_score, -individual.number
