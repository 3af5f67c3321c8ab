"""Evolution against algorithm 1, written down once more."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.searches import SMALL, drive, made_up_score, small_space

from swapnas_ext.search import SearchSettings
from swapnas_ext.search.strategies import Evolution, Individual, Proposal


def algorithm_1(cycles: int, seed: int, ageing: bool) -> tuple[list[str], list[str]]:
    """The published algorithm, written down once more: all that it scores, and its last population."""
    space, rng = small_space(), random.Random(f"{seed} 0")
    known: set[str] = set()
    scored: list[str] = []

    def new(architecture: str) -> bool:
        form = space.canonical(architecture)
        if form in known:
            return False
        known.add(form)
        scored.append(architecture)
        return True

    def rank(architecture: str) -> tuple[float, int]:
        return made_up_score(architecture), -scored.index(architecture)

    population: list[str] = []
    while len(population) < SMALL["population"]:
        if new(architecture := space.sample(rng)):
            population.append(architecture)
    for _ in range(cycles):
        drawn = sorted(rng.sample(population, SMALL["tournament"]), key=rank, reverse=True)
        parent = drawn[0]
        if rng.random() < 0.5:
            parent = space.crossover(drawn[0], drawn[1], rng)
        children = []
        for _ in range(SMALL["children"]):
            child = space.mutate(parent, rng)
            while not new(child):
                child = space.mutate(child, rng)
            children.append(child)
        population.append(max(children, key=rank))
        population.remove(population[0] if ageing else min(population, key=rank))
    return scored, population


@pytest.mark.parametrize("ageing", [False, True])
@given(seed=st.integers(0, 1000), cycles=st.integers(0, 12))
@settings(max_examples=15)
def test_evolution_is_algorithm_1(ageing: bool, seed: int, cycles: int) -> None:
    expected, _ = algorithm_1(cycles, seed, ageing)
    made = drive(
        SearchSettings(
            strategy="ageing" if ageing else "evolution",
            candidates=1000,
            cycles=cycles,
            ahead=1,
            seed=seed,
            **SMALL,
        )
    )
    assert [candidate.architecture for candidate in made.result().candidates] == expected


@pytest.mark.parametrize(("ageing", "leaves"), [(False, 2), (True, 0)])
def test_who_leaves_the_population(ageing: bool, leaves: int) -> None:
    evolution = Evolution(
        small_space(),
        random.Random(0),
        population=3,
        tournament=2,
        children=3,
        crossover=0.0,
        ageing=ageing,
    )
    names = iter("abcdefghij")
    evolution.ask(9, lambda _: True)
    founders = [Individual(n, next(names), score, 1) for n, score in enumerate((3.0, 5.0, 1.0))]
    evolution.tell(Proposal(("x", "y", "z")), founders)
    assert evolution.population == founders
    children = [Individual(3 + n, next(names), score, 1) for n, score in enumerate((2.0, 4.0))]
    evolution.tell(Proposal(("u", "v"), (0,)), children)
    remaining = [founder for founder in founders if founder.number != leaves]
    assert evolution.population == [*remaining, children[1]]  # the best child joins
    evolution.tell(Proposal(("w",), (0,)), [])  # no child could be scored
    assert len(evolution.population) == 3


def test_a_child_that_is_worst_of_all_leaves_again() -> None:
    evolution = Evolution(
        small_space(), random.Random(0), population=2, tournament=2, children=2, crossover=0.0
    )
    founders = [Individual(0, "a", 3.0, 1), Individual(1, "b", 5.0, 1)]
    evolution.tell(Proposal(("a", "b")), founders)
    evolution.tell(Proposal(("c",), (0,)), [Individual(2, "c", 1.0, 1)])
    assert evolution.population == founders
