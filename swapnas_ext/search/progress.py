"""How far a search is."""

from __future__ import annotations

from dataclasses import dataclass

from swapnas_ext.search.strategies import Individual


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
    """

    done: int
    total: int
    scored: int
    best: Individual | None
    failed: int
    over: int = 0
    looking: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Candidates per second since the search was started or resumed."""
        return self.scored / self.seconds if self.seconds else 0.0
