"""Non-dominated ranks and crowding distances, against their definitions."""

from __future__ import annotations

import math
import random

import pytest

from swapnas_ext.search.pareto import crowded_order, crowding, dominates, fronts


def by_definition(points: list[tuple[float, float]]) -> list[set[int]]:
    """Takes away what nothing that is left dominates, again and again."""
    left, found = set(range(len(points))), []
    while left:
        front = {
            one for one in left if not any(dominates(points[other], points[one]) for other in left)
        }
        found.append(front)
        left -= front
    return found


@pytest.mark.parametrize("seed", range(20))
def test_fronts_are_those_of_the_definition(seed: int) -> None:
    rng = random.Random(seed)
    values = 5 if seed % 2 else 1000  # with and without equal values
    points = [(float(rng.randrange(values)), float(rng.randrange(values))) for _ in range(40)]
    assert [set(front) for front in fronts(points)] == by_definition(points)
    for front in fronts(points):
        assert [points[place][1] for place in front] == sorted(points[place][1] for place in front)


def test_dominance() -> None:
    assert dominates((2.0, 1.0), (1.0, 1.0)) and dominates((1.0, 1.0), (1.0, 2.0))
    assert not dominates((1.0, 1.0), (1.0, 1.0))
    assert not dominates((2.0, 2.0), (1.0, 1.0)) and not dominates((1.0, 1.0), (2.0, 2.0))


def test_crowding_distances_by_hand() -> None:
    front = [(1.0, 10.0), (2.0, 11.0), (4.0, 13.0), (5.0, 20.0)]
    # Of the second: (4 - 1) / 4 in score, and (13 - 10) / 10 in cost.
    assert crowding(front) == [math.inf, 0.75 + 0.3, (5 - 2) / 4 + (20 - 11) / 10, math.inf]
    assert crowding([(1.0, 1.0)]) == [math.inf]
    assert crowding([(1.0, 1.0)] * 3) == [math.inf, 0.0, math.inf]


def test_better_points_have_larger_keys() -> None:
    points = [(1.0, 10.0), (2.0, 11.0), (4.0, 13.0), (5.0, 20.0), (0.5, 12.0), (0.1, 30.0)]
    keys = crowded_order(points)
    best_first = sorted(range(len(points)), key=keys.__getitem__, reverse=True)
    assert set(best_first[:2]) == {0, 3}  # the ends of the first front
    assert best_first[2:] == [2, 1, 4, 5]
