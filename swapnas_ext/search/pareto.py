"""Pareto dominance of pairs of a score, where higher is better, and a cost, where lower is better.

One pair dominates another if it is not worse in either, and better in one. The definitions are those of NSGA-II (Deb,
Pratap, Agarwal and Meyarivan, IEEE Transactions on Evolutionary Computation 6 (2), 2002).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

Point: TypeAlias = tuple[float, float]
"""A score and a cost."""


def fronts(points: Sequence[Point]) -> list[list[int]]:
    """The places of the points by non-dominated rank: the first front has those that no point dominates, the second
    those that only points of the first dominate, and so on. Each front runs from the lowest cost to the highest; equal
    points are in one front."""
    found: list[list[int]] = []
    for place in sorted(
        range(len(points)), key=lambda place: (points[place][1], -points[place][0])
    ):
        # Points come by cost: of each front, only the last, which has its highest score, can dominate this one. Each
        # front has a higher last score than the next, so that the first front to try is found by halving.
        low, high = 0, len(found)
        while low < high:
            middle = (low + high) // 2
            if dominates(points[found[middle][-1]], points[place]):
                low = middle + 1
            else:
                high = middle
        if low == len(found):
            found.append([])
        found[low].append(place)
    return found


def first_front(log_scores: Sequence[float], costs: Sequence[float]) -> list[int]:
    """The places of the points of the first front, the cheapest first. Of equal points, only the first is there."""
    if not costs:
        return []
    scores = np.asarray(log_scores, float)
    order = np.lexsort((-scores, np.asarray(costs, float)))
    best = np.maximum.accumulate(scores[order])
    rises = np.concatenate([[True], best[1:] > best[:-1]])
    places: list[int] = order[rises].tolist()
    return places


def dominates(one: Point, other: Point) -> bool:
    return one != other and one[0] >= other[0] and one[1] <= other[1]


def crowding(front: Sequence[Point]) -> list[float]:
    """The crowding distance of each point of a front: for score and cost each the distance between its two neighbours,
    as a part of the front's range, summed. The ends of the front are infinitely far from others."""
    distances = [0.0] * len(front)
    for objective in (0, 1):
        ordered = sorted(range(len(front)), key=lambda place: (front[place][objective], place))
        for end in (ordered[0], ordered[-1]):
            distances[end] = math.inf
        reach = front[ordered[-1]][objective] - front[ordered[0]][objective]
        if reach == 0:
            continue
        for before, place, after in zip(ordered, ordered[1:], ordered[2:], strict=False):
            distances[place] += (front[after][objective] - front[before][objective]) / reach
    return distances


def crowded_order(points: Sequence[Point]) -> list[tuple[float, float]]:
    """A key for each point by which better points are larger: the non-dominated rank, then, of equal ranks, the
    crowding distance, of which a larger one is better."""
    keys = [(0.0, 0.0)] * len(points)
    for rank, front in enumerate(fronts(points)):
        distances = crowding([points[place] for place in front])
        for place, distance in zip(front, distances, strict=True):
            keys[place] = (-rank, distance)
    return keys
