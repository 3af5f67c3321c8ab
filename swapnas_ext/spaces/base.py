"""What a search space is. A space of one's own is a class with these few methods."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod

import torch
from torch import nn

from swapnas_ext.spaces.uninitialized import uninitialized


class ArchitectureError(ValueError):
    """An architecture string that does not parse: says what is wrong, and points at the place."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        self.text = text
        self.position = position
        self.problem = problem
        super().__init__(f"{problem}, at character {position}:\n  {text}\n  {' ' * position}^")

    def __reduce__(self) -> tuple[type[ArchitectureError], tuple[str, int, str]]:
        return ArchitectureError, (self.text, self.position, self.problem)


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
    def _build(self, architecture: str) -> nn.Module:
        """The network, freshly initialised. Raises `ArchitectureError`."""

    def build(self, architecture: str, *, initialized: bool = True) -> nn.Module:
        """The network. Without ``initialized`` the weights of its convolutions and linear layers are left
        to who overwrites them, as the Gaussian and Kaiming initialisers do: faster.

        Raises:
            ArchitectureError: the string is no architecture of this space.
        """
        if initialized:
            return self._build(architecture)
        with uninitialized():
            return self._build(architecture)

    def size(self, architecture: str) -> int:
        """Number of parameters of the network."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in self._build(architecture).parameters())

    @abstractmethod
    def sample(self, rng: random.Random) -> str:
        """An architecture at random."""

    @abstractmethod
    def mutate(self, architecture: str, rng: random.Random) -> str:
        """The architecture with one random choice made differently."""

    @abstractmethod
    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """Each choice from one of the two parents at random."""
