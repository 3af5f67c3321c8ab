"""A Pareto front of cost and score that grows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class GrowingFront:
    """The points that no other beats in both cost and score, the cheapest first."""

    def __init__(self) -> None:
        self._costs: list[float] = []
        self._scores: list[float] = []

    def add(self, cost: float, score: float) -> None:
        place = bisect_right(self._costs, cost)
        if place and self._scores[place - 1] >= score:
            return
        first = bisect_left(self._costs, cost)
        beaten = bisect_right(self._scores, score, lo=first)  # scores grow with cost in a front
        self._costs[first:beaten] = [cost]
        self._scores[first:beaten] = [score]

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter(zip(self._costs, self._scores, strict=True))

    def __len__(self) -> int:
        return len(self._costs)
