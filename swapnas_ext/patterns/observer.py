"""What activations are fed to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

InsertingOperator = Callable[[Tensor, Tensor, int, bool], Tensor]
"""From a table of patterns, ``[S, R * C, ...]``, S, and whether patterns are ternary, to the output of a ReLU, whose
patterns it inserts."""
Insert = Callable[[InsertingOperator, Tensor], "Tensor | None"]
"""Calls an inserting operator on a tensor, for the set of the pass. None: there is no such set."""


class Observer(ABC):
    """Receives the activations of a network while it runs, one after another. A subclass needs only `update`.

    Args:
        samples: S, the number of samples of the mini-batch.
        ternary: whether patterns have three states; activations that have none below zero are fed as they are.

    Attributes:
        of_inputs: whether to feed what goes into activation functions, instead of what comes out.
        counts_once: whether a tensor that several ReLUs share is fed once. A set of patterns takes no harm from
            duplicates; a list of layers does.
        counts_patterns: whether `count_on_host` tells the number of distinct patterns so far.
        resets: how often the observer was emptied.
        replicates: how many initialisations it observes at once.
    """

    of_inputs = False
    counts_once = False
    counts_patterns = False
    resets = 0
    replicates = 1

    def __init__(self, samples: int, ternary: bool) -> None:
        self.samples = samples
        self.ternary = ternary

    @property
    def saw_nan(self) -> bool:
        """Whether a NaN was fed."""
        return False

    @abstractmethod
    def update(self, x: Tensor) -> None:
        """Takes one activation, ``[S * chunks, ...]``. It is not to keep ``x``, which the network may overwrite."""

    def relu(self, x: Tensor) -> Tensor:
        """Returns ``torch.relu(x)``, and updates with what `of_inputs` says. A subclass may fuse the two."""
        if self.of_inputs:
            self.update(x)
            return torch.relu(x)
        y = torch.relu(x)
        self.update(y)
        return y

    def relu_(self, x: Tensor) -> Tensor:
        """`relu` in place."""
        if self.of_inputs:
            self.update(x)
            return torch.relu_(x)
        torch.relu_(x)
        self.update(x)
        return x

    def direct_relu(self) -> Callable[[Tensor], Tensor] | None:
        """`relu` as a function with as little Python as possible, for use without autograd; None: use `relu`."""
        return None

    def direct_table(self) -> Tensor | None:
        """The table into which `relu` inserts, for use by the compiled part; None: use `relu`."""
        return None

    def insert_by(self, operator: InsertingOperator, x: Tensor) -> Tensor | None:
        """Returns ``operator(table, x, samples, ternary)``, which inserts patterns of what it makes of ``x`` (of all
        `replicates`, ``[S, R * C, ...]``). None where there is no such table."""
        return None

    def count_on_host(self) -> int:
        """Distinct patterns so far, read without a synchronisation; only where `counts_patterns`."""
        return 0
