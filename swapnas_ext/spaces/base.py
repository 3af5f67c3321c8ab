"""Defines what a search space is. A space of one's own is a subclass of `SearchSpace` with these few methods."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from swapnas_ext import data
from swapnas_ext._util import notebook_facts, shortened
from swapnas_ext.spaces.differing import differing, has_structure, tokens
from swapnas_ext.spaces.options import options_of
from swapnas_ext.spaces.part_copies import parts_copied
from swapnas_ext.spaces.weightless import weightless


class ArchitectureError(ValueError):
    """An architecture string does not parse. The message says what is wrong and points at the place."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        self.text = text
        self.position = position
        self.problem = problem
        super().__init__(f"{problem}, at character {position}:\n  {text}\n  {' ' * position}^")

    def __reduce__(self) -> tuple[type[ArchitectureError], tuple[str, int, str]]:
        return ArchitectureError, (self.text, self.position, self.problem)


class Graph(NamedTuple):
    """A drawing of an architecture, or of one of its cells.

    ``nodes`` are labels. ``edges`` are (from, to, label): from and to are indices into ``nodes``, and every
    edge leads to a later node.
    """

    title: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int, str], ...]


class SearchSpace(ABC):
    """A set of architectures, each with its string; ``format(parse(text)) == text``.

    Random choices use the caller's ``random.Random``, so that runs can be repeated.
    """

    input_size: tuple[int, int, int]
    """Channels, height and width of the images that the networks take."""

    @abstractmethod
    def parse(self, text: str) -> Any:
        """The architecture in the space's own structure. Raises `ArchitectureError`."""

    @abstractmethod
    def format(self, parsed: Any) -> str:
        """The string of an architecture that `parse` returned."""

    def from_entry(self, entry: Mapping[str, Any]) -> str | None:
        """The architecture string of a row of the space's published table, for tables that keep it in another
        form than a string in one column. None where the row is not of that table.

        Raises:
            ArchitectureError: the row is of that table, but has no architecture of this space.
        """
        return None

    def check(self, architecture: str) -> None:
        """Raises `ArchitectureError` unless the string is an architecture of this space."""
        self.parse(architecture)

    @abstractmethod
    def canonical(self, architecture: str) -> str:
        """A text that is the same for architectures whose networks compute the same function of their weights,
        and different for all others. A search scores each form once."""

    @abstractmethod
    def _build(self, architecture: str) -> nn.Module:
        """The network with initialised weights. Raises `ArchitectureError`."""

    def build(self, architecture: str, *, initialized: bool = True) -> nn.Module:
        """The network.

        Args:
            initialized: False lets the spaces of this package build networks from copies of parts, which is
                faster. Weights of convolutions and linear layers are then arbitrary. It is for callers that
                overwrite them, as the Gaussian and Kaiming initialisers do.

        Raises:
            ArchitectureError: the string is not an architecture of this space.
        """
        if initialized:
            return self._build(architecture)
        with parts_copied():
            return self._build(architecture)

    def size(self, architecture: str) -> int:
        """Number of parameters of the network."""
        try:
            with weightless():
                network = self._build(architecture)
        except Exception:  # some networks can't be built on the meta device; others fail here too
            network = self._build(architecture)
        return sum(parameter.numel() for parameter in network.parameters())

    def final(self) -> SearchSpace:
        """The space of the networks that will be trained, whose size a search controls. It differs from this
        space where scored networks are smaller stand-ins."""
        return self

    @abstractmethod
    def sample(self, rng: random.Random) -> str:
        """A random architecture."""

    @abstractmethod
    def mutate(self, architecture: str, rng: random.Random) -> str:
        """The architecture with one random choice changed."""

    @abstractmethod
    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """An architecture that takes each choice from one of the two parents at random."""

    def distance(self, first: str, second: str) -> int:
        """In how many single choices two architectures differ: about the number of mutations that lead from one to the
        other. 0 for an architecture and itself, and symmetric.

        By default, the values that differ between what `parse` returns for them; if that is a text or an object that
        can't be looked into, the words and numbers that differ between their strings. A list that is longer than the
        other counts one for its length. Spaces whose architectures can be written in several ways, or whose mutations
        change several values, do better with a distance of their own.

        Raises:
            ArchitectureError: one of the strings is not an architecture of this space.
        """
        parsed = self.parse(first), self.parse(second)
        if all(map(has_structure, parsed)):
            return differing(*parsed)
        return differing(*(tokens(self.format(one)) for one in parsed))

    def inputs(
        self, samples: int, source: str | Path | None = None, size: int | None = None
    ) -> Tensor:
        """A mini-batch for the networks, float32 ``[samples, 3, size, size]``.

        Args:
            source: a path, as `data.images` reads it; by default the bundled photograph.
            size: sides of the images in pixels; by default what the networks take.
        """
        if size is None:
            if not hasattr(self, "input_size"):
                raise TypeError(
                    f"the space {type(self).__name__} needs an attribute input_size: channels, height and width of "
                    "the images that its networks take"
                )
            size = self.input_size[1]
        if source is None:
            return data.photograph(samples, size)
        return data.images(source, samples, size)

    def formats(self, architecture: str) -> dict[str, str]:
        """The architecture as other code bases write it: texts by the name of the code base."""
        return {}

    def __repr__(self) -> str:
        options = options_of(type(self), vars(self))
        told = ", ".join(f"{name}={shortened(repr(value))}" for name, value in options.items())
        return f"{type(self).__name__}({told})"

    def _repr_html_(self) -> str:
        facts: dict[str, object] = {
            name: shortened(repr(value))
            for name, value in options_of(type(self), vars(self)).items()
        }
        if hasattr(self, "input_size"):
            facts["input"] = " x ".join(map(str, self.input_size))
        count = self._told_count()
        if count:
            facts["architectures"] = count
        return notebook_facts(type(self).__name__, facts)

    def _told_count(self) -> str:
        """How many architectures there are, for people; empty if that is not known."""
        return f"{len(self):,}" if hasattr(self, "__len__") else ""

    def graphs(self, architecture: str) -> list[Graph]:
        """Drawings of the architecture; none by default."""
        return []
