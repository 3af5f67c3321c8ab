"""What a search space is. A space of one's own is a class with these few methods."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod

from torch import nn


class ArchitectureError(ValueError):
    """An architecture string that does not parse: says what is wrong, and points at the place."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        self.text = text
        self.position = position
        self.problem = problem
        super().__init__(f"{problem}, at character {position}:\n  {text}\n  {' ' * position}^")


class SearchSpace(ABC):
    """A set of architectures, each told by a string; ``format(parse(text)) == text``.

    Random choices come from the caller's ``random.Random``, so that runs can be repeated.
    """

    input_size: tuple[int, int, int]
    """Channels, height and width of the images that the networks take."""

    @abstractmethod
    def check(self, architecture: str) -> None:
        """Raises `ArchitectureError` unless the string is an architecture of this space."""

    @abstractmethod
    def canonical(self, architecture: str) -> str:
        """One form for all architectures whose networks compute the same function of their weights."""

    @abstractmethod
    def build(self, architecture: str) -> nn.Module:
        """The network, freshly initialised. Raises `ArchitectureError`."""

    @abstractmethod
    def sample(self, rng: random.Random) -> str:
        """An architecture at random."""

    @abstractmethod
    def mutate(self, architecture: str, rng: random.Random) -> str:
        """The architecture with one random choice made differently."""

    @abstractmethod
    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """Each choice from one of the two parents at random."""
