"""How many of a layer's channels say something of their own."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Channels:
    """Takes the place of a counter: of each layer, the effective part of its channels.

    Attributes:
        effective: in the order of the calls.
        listening: whether it takes note of them.
    """

    saw_nan = False
    resets = 0

    def __init__(self, samples: int, ternary: bool) -> None:
        self.samples = samples
        self.ternary = ternary
        self.effective: list[float] = []
        self.listening = True

    @property
    def counts_once(self) -> bool:
        return self.listening  # else nothing is counted

    def count_on_host(self) -> int:
        return 0

    def update(self, x: Tensor) -> None:
        if self.listening:
            self.effective.append(effective_part(x))

    def direct_relu(self) -> None:
        return None

    def relu(self, x: Tensor) -> Tensor:
        self.update(x)
        return torch.relu(x)

    def relu_(self, x: Tensor) -> Tensor:
        self.update(x)
        return torch.relu_(x)


def effective_part(x: Tensor) -> float:
    """The effective number of channels over their number, 0 to 1; 0 where none varies.

    Args:
        x: ``[S, C, ...]``, or ``[S, tokens, C]``.

    Equivalent to (for images)::

        channels = x.transpose(0, 1).flatten(1)
        eigenvalues = torch.linalg.eigvalsh(torch.cov(channels))
        eigenvalues.sum() ** 2 / (eigenvalues**2).sum() / len(channels)
    """
    channels = by_channel(x.float())
    channels = channels - channels.mean(1, keepdim=True)
    largest = channels.abs().amax()
    if not 0 < float(largest) < math.inf:
        return 0.0
    channels = channels / largest  # squares of squares stay finite
    count, elements = channels.shape
    # Both products have the same trace, and so have their squares.
    covariance = channels @ channels.T if count <= elements else channels.T @ channels
    total = float(covariance.trace())
    return total**2 / float((covariance**2).sum()) / count


def by_channel(x: Tensor) -> Tensor:
    """``[channels, all else]``; of three dimensions, the last is taken for the channels."""
    if x.dim() == 3:
        return x.flatten(0, 1).T
    return x.transpose(0, 1).flatten(1) if x.dim() > 1 else x[None]
