"""SWAP-NAS and ageing evolution, for the score alone, or for the Pareto front of score and cost."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from swapnas_ext.search.pareto import crowded_order
from swapnas_ext.search.strategies.base import Admit, Individual, Proposal
from swapnas_ext.search.strategies.random_search import new_samples
from swapnas_ext.spaces import SearchSpace

_MUTATIONS = 20  # of one parent, until a child is new


class Evolution:
    """SWAP-NAS (Peng et al., ICLR 2024, arXiv 2403.04161, algorithm 1).

    It starts with a random population. Each cycle draws a tournament, takes its best (or a crossover of its best
    two) as the parent, and has mutants of the parent scored; the best of these joins the population, and the
    worst individual of all leaves it.

    Individuals with costs are ordered as in NSGA-II (Deb et al., IEEE Transactions on Evolutionary Computation 6 (2),
    2002) instead of by score: the better one has the lower non-dominated rank in score and cost, or with equal ranks
    the larger crowding distance, or with equal distances the smaller number. Ranks and distances are those in the
    population when a tournament is drawn, in the population with the new mutants when the best mutant is chosen, and in
    the population with that mutant when the worst individual leaves.

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
            self.population.append(max(scored, key=_order([*self.population, *scored])))
            if len(self.population) > self._size:
                order = _order(self.population)
                leaving = self.population[0] if self._ageing else min(self.population, key=order)
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
        order = _order(self.population)
        drawn = sorted(self._rng.sample(self.population, size), key=order, reverse=True)
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


def _order(individuals: Sequence[Individual]) -> Callable[[Individual], tuple[float, ...]]:
    """The key by which better individuals are larger: see `Evolution`."""
    points = [(one.log_score, one.cost) for one in individuals if one.cost is not None]
    if len(points) < len(individuals):
        return _by_score
    keys = {
        one.number: (*key, -one.number)
        for one, key in zip(individuals, crowded_order(points), strict=True)
    }
    return lambda individual: keys[individual.number]


def _by_score(individual: Individual) -> tuple[float, ...]:
    """Of equal scores, the earlier individual is better."""
    return individual.log_score, -individual.number
