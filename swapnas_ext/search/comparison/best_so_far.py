"""The best score so far, over candidates and over seconds."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class BestSoFar:
    """The best so far: its steps upwards, and its end.

    Attributes:
        at: how many candidates were tried, or seconds of the search.
        log_scores: natural logarithms of the best score from there on. They never fall.
    """

    at: tuple[float, ...]
    log_scores: tuple[float, ...]

    @classmethod
    def of(cls, scores: Iterable[tuple[float, float]]) -> BestSoFar:
        """The curve of scores in their order: pairs of a place and a logarithm, which is NaN where there is no score.
        The curve begins with the first score, and ends at the last place."""
        at: list[float] = []
        best: list[float] = []
        place = None
        for place, log_score in scores:
            if math.isfinite(log_score) and (not best or log_score > best[-1]):
                if at and at[-1] == place:
                    best[-1] = log_score
                else:
                    at.append(place)
                    best.append(log_score)
        if at and place is not None and place > at[-1]:
            at.append(place)
            best.append(best[-1])
        return cls(tuple(at), tuple(best))

    def value_at(self, place: float) -> float:
        """The best score until a place, as a logarithm; NaN before the first score. After the end it is the last."""
        known = bisect_right(self.at, place)
        return self.log_scores[known - 1] if known else math.nan

    def reaches(self, log_score: float) -> float | None:
        """The first place with at least this score; None if there is none."""
        pairs = zip(self.at, self.log_scores, strict=True)
        return next((place for place, best in pairs if best >= log_score), None)
