"""How far a search is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from swapnas_ext._util import rate_text, significant
from swapnas_ext.search.strategies import Individual

_LOOKING = 20
"""Draws in vain from which on the state tells of them."""


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes:
        done: candidates with an outcome.
        total: candidates that are wanted.
        scored: candidates scored since the search was started or resumed.
        best: the individual with the highest score of the present phase; None if there is none.
        failed: candidates that could not be scored.
        over: candidates beyond a limit, which were not scored.
        looking: architectures drawn since the last new one; all of them were known or too large.
        seconds: time since the search was started or resumed.
        rate: candidates per second, without the start of the workers; 0 before there is one.
    """

    done: int
    total: int
    scored: int
    best: Individual | None
    failed: int
    over: int = 0
    looking: int = 0
    seconds: float = 0.0
    rate: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """The time that the rest takes at this rate; None without a rate."""
        return (self.total - self.done) / self.rate if self.rate else None

    @property
    def state(self) -> str:
        """The best score, the rate, and what went wrong, in a few words; empty where none of it is known."""
        parts = []
        if self.best is not None:
            parts.append(f"best {significant(self.best.score)}")
        if self.rate > 0:
            parts.append(rate_text(self.rate))
        if self.failed:
            parts.append(f"{self.failed:,} without a score")
        if self.over:
            parts.append(f"{self.over:,} beyond the limits")
        if self.looking >= _LOOKING:
            parts.append(
                f"looking for new architectures: {self.looking:,} in a row were known or too large"
            )
        return ", ".join(parts)


class Stopwatch:
    """Takes the time of a search, and its rate from its first outcomes on: workers take a while to start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = self._now = clock()
        self._first: tuple[float, int] | None = None
        self._scored = 0

    def note(self, scored: int) -> None:
        """Takes down how many candidates are scored now."""
        self._now = self._clock()
        if scored and self._first is None:
            self._first = self._now, scored
        self._scored = scored

    @property
    def seconds(self) -> float:
        return self._clock() - self._begun

    @property
    def rate(self) -> float:
        """Candidates per second, of those after the first; 0 before there are any."""
        if self._first is None or self._now <= self._first[0]:
            return 0.0
        return (self._scored - self._first[1]) / (self._now - self._first[0])
