"""Builds a model anew for each repeat, with a seed of its own."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn


class SeededBuilds:
    """A function that builds a model, to be scored: its first call draws weights with ``seed``, the next with
    ``seed + 1``, and so on.

    Args:
        build: builds the model. Its weights are those that it draws from the global random numbers.
        seed: of the first repeat.
        reseed: seeds the global random numbers, such as ``torch.manual_seed``.
    """

    def __init__(
        self, build: Callable[[], nn.Module], seed: int, reseed: Callable[[int], object]
    ) -> None:
        self._build = build
        self._first = self._next = seed
        self._reseed = reseed

    def __call__(self) -> nn.Module:
        self._reseed(self._next)
        self._next += 1
        return self._build()

    def start_over(self) -> None:
        """Makes the next call the first."""
        self._next = self._first
