"""Random search."""

from __future__ import annotations

import random
from collections.abc import Sequence

from swapnas_ext.search.strategies.base import Admit, Individual, Proposal, nothing_left
from swapnas_ext.spaces import SearchSpace

TRIES = 10_000
"""A space has no new architectures if this many in a row are not admitted."""


class RandomSearch:
    """Proposes architectures at random, ``chunk`` at a time."""

    def __init__(self, space: SearchSpace, rng: random.Random, chunk: int = 8) -> None:
        self._space = space
        self._rng = rng
        self._chunk = chunk

    def ask(self, most: int, admit: Admit) -> Proposal | None:
        return new_samples(self._space, self._rng, min(most, self._chunk), admit)

    def tell(self, proposal: Proposal, individuals: Sequence[Individual | None]) -> None:
        pass


def new_samples(space: SearchSpace, rng: random.Random, most: int, admit: Admit) -> Proposal | None:
    """Proposes random architectures that are admitted; None if none is found."""
    found: list[str] = []
    while len(found) < most and (architecture := new_sample(space, rng, admit)) is not None:
        found.append(architecture)
    return Proposal(tuple(found)) if found else None


def new_sample(space: SearchSpace, rng: random.Random, admit: Admit) -> str | None:
    """Draws a random architecture that is admitted; None if none is found."""
    for _ in range(TRIES):
        if nothing_left(admit):
            return None
        architecture = space.sample(rng)
        if admit(architecture):
            return architecture
    return None
