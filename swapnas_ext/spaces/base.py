"""What a search space is. A space of one's own is a class with these few methods."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from swapnas_ext import data
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


class Graph(NamedTuple):
    """A drawing of an architecture, or of one of its cells.

    ``nodes`` are labels; ``edges`` are (from, to, label), of nodes by their places in ``nodes``, from
    earlier to later ones.
    """

    title: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int, str], ...]


class SearchSpace(ABC):
    """A set of architectures, each told by a string; ``format(parse(text)) == text``.

    Random choices come from the caller's ``random.Random``, so that runs can be repeated.
    """

    input_size: tuple[int, int, int]
    """Channels, height and width of the images that the networks take."""

    @abstractmethod
    def parse(self, text: str) -> Any:
        """The architecture as a structure of the space's own. Raises `ArchitectureError`."""

    @abstractmethod
    def format(self, parsed: Any) -> str:
        """The string of a structure; `parse` reads it back."""

    def from_entry(self, entry: Mapping[str, Any]) -> str | None:
        """The architecture of a row of the space's published table, where that keeps it otherwise than as
        a string in one column; None where this is no such row.

        Raises:
            ArchitectureError: it is one, and has no architecture of this space.
        """
        return None

    def check(self, architecture: str) -> None:
        """Raises `ArchitectureError` unless the string is an architecture of this space."""
        self.parse(architecture)

    @abstractmethod
    def canonical(self, architecture: str) -> str:
        """A text for architectures whose networks compute the same function of their weights. No two that
        differ may share one; a search scores each form once."""

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

    def final(self) -> SearchSpace:
        """The space of the networks that will be trained, where those that are scored are smaller
        stand-ins: a search controls the size of these."""
        return self

    @abstractmethod
    def sample(self, rng: random.Random) -> str:
        """An architecture at random."""

    @abstractmethod
    def mutate(self, architecture: str, rng: random.Random) -> str:
        """The architecture with one random choice made differently."""

    @abstractmethod
    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """Each choice from one of the two parents at random."""

    def inputs(
        self, samples: int, source: str | Path | None = None, size: int | None = None
    ) -> Tensor:
        """A mini-batch for the networks: the bundled photograph, or what is at ``source``, as `data.images`
        reads it. ``size`` in pixels; by default what the networks take."""
        size = self.input_size[1] if size is None else size
        if source is None:
            return data.photograph(samples, size)
        return data.images(source, samples, size)

    def formats(self, architecture: str) -> dict[str, str]:
        """The architecture as other code bases write it: what each is called, and the text."""
        return {}

    def graphs(self, architecture: str) -> list[Graph]:
        """What to draw of the architecture; nothing by default."""
        return []
