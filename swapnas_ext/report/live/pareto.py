"""A Pareto front of size and score that grows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class GrowingFront:
    """The points that no other beats in both size and score, smallest first."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._scores: list[float] = []

    def add(self, size: int, score: float) -> None:
        place = bisect_right(self._sizes, size)
        if place and self._scores[place - 1] >= score:
            return
        first = bisect_left(self._sizes, size)
        beaten = bisect_right(self._scores, score, lo=first)  # scores grow with size in a front
        self._sizes[first:beaten] = [size]
        self._scores[first:beaten] = [score]

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return iter(zip(self._sizes, self._scores, strict=True))

    def __len__(self) -> int:
        return len(self._sizes)
