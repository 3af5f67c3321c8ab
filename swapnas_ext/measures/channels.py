"""Measures how many of a layer's channels carry information of their own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from swapnas_ext._torch_private import version_of
from swapnas_ext.measures.channels_first import ChannelsFirst
from swapnas_ext.patterns import Observer

if TYPE_CHECKING:
    from swapnas_ext.measures.pairs import Pairs


class LayerChannels(NamedTuple):
    """The channels of a layer, before its activation.

    Attributes:
        effective: their effective number over their number, see `effective_part`.
        channels: their number, C.
        positions: of one sample: height times width, or tokens.
    """

    effective: float
    channels: int
    positions: int


class Channels(Observer):
    """Measures the channels of each layer, before its activation.

    Args:
        channels_first: of the model.
        pairs: of a pass whose rows are pairs; the disturbed ones are not read.

    Attributes:
        layers: in the order of the calls.
        listening: whether to record what is fed.
    """

    of_inputs = True

    def __init__(
        self, samples: int, ternary: bool, channels_first: ChannelsFirst, pairs: Pairs | None = None
    ) -> None:
        super().__init__(samples, ternary)
        self._channels_first = channels_first
        self._pairs = pairs
        self._mark = object()
        self.layers: list[LayerChannels] = []
        self.listen(True)

    def listen(self, listening: bool) -> None:
        self.listening = listening
        self.counts_once = listening  # when not listening, nothing is counted

    def update(self, x: Tensor) -> None:
        if self.listening:
            if self._pairs is not None:
                original = self._pairs.original(x)
                now = self._mark, version_of(original)
                if getattr(original, "_read_by_swapnas", None) == now:
                    return
                original._read_by_swapnas = now  # type: ignore[attr-defined]  # goes with the tensor
                x = self._pairs.undisturbed(x)
            x = self._channels_first.as_image(x)
            count, elements = by_channel(x).shape
            positions = elements // x.shape[0] if x.dim() > 1 else 1
            self.layers.append(LayerChannels(effective_part(x), count, positions))


def effective_part(x: Tensor) -> float:
    """The effective number of channels over their number, from 0 to 1; 0 if no channel varies.

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
    channels = channels / largest  # so that fourth powers stay finite
    count, elements = channels.shape
    # Both products have the same trace, and so do their squares.
    covariance = channels @ channels.T if count <= elements else channels.T @ channels
    total = float(covariance.trace())
    return total**2 / float((covariance**2).sum()) / count


def by_channel(x: Tensor) -> Tensor:
    """``[channels, everything else]``. A tensor of three dimensions is ``[S, tokens, C]``."""
    if x.dim() == 3:
        return x.flatten(0, 1).T
    return x.transpose(0, 1).flatten(1) if x.dim() > 1 else x[None]
