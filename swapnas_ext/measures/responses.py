"""What is measured of a block's response to a small disturbance of its input."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from swapnas_ext.measures.channels import by_channel
from swapnas_ext.measures.channels_first import ChannelsFirst

DISTURBANCE = 1e-2  # of a block's input, relative to its standard deviation
_LEAST = 1e-3  # logarithms are of ratios clipped from below to this, and from above to its inverse


class Responses:
    """How blocks respond to a small disturbance of their input.

    Args:
        channels_first: of the model.

    Attributes:
        gains: for each block, the relative change of its output over that of its input.
        direct: for each block, the part of the response that stays at its position.
    """

    def __init__(self, channels_first: ChannelsFirst) -> None:
        self._channels_first = channels_first
        self.gains: list[float] = []
        self.direct: list[float] = []

    def add(self, noise: Tensor, response: Tensor, scale: float) -> None:
        """Adds a block.

        Args:
            noise: the disturbance of the input, with a standard deviation of one.
            response: the change of the output, for a disturbance of that size.
            scale: standard deviation of the input over that of the output.
        """
        spread = spread_of(response)
        if not math.isfinite(spread):
            self.add_nothing()
            return
        self.gains.append(spread / spread_of(noise) * scale)
        response = self._channels_first.as_image(response)
        aligned = _aligned(self._channels_first.as_image(noise.float()), response)
        if aligned is not None:
            # First divided, so that squares stay finite.
            a, b = by_channel(aligned), by_channel(response) / (spread or 1.0)
            self.direct.append(_largest_singular_value(a @ b.T / a.shape[1]))

    def add_nothing(self) -> None:
        """Adds a block through which nothing passes."""
        self.gains.append(0.0)
        self.direct.append(0.0)

    def log_gains(self) -> list[float]:
        """Logarithms of the gains, clipped to 1/1000 and 1000."""
        return [math.log(_clipped(gain)) for gain in self.gains]

    def log_directness(self) -> list[float]:
        """Logarithms of the direct parts, clipped to 1/1000 and 1."""
        return [math.log(min(1.0, _clipped(part))) for part in self.direct]


def tensor_of(output: Any) -> Tensor | None:
    """The output of a block, or the first of several; None if it is no floating-point tensor."""
    if isinstance(output, tuple | list) and output:
        output = output[0]
    return output if isinstance(output, Tensor) and output.is_floating_point() else None


def _clipped(ratio: float) -> float:
    return min(max(ratio, _LEAST), 1 / _LEAST)


def spread_of(x: Tensor) -> float:
    return float(x.double().std())


def _largest_singular_value(matrix: Tensor) -> float:
    """By the smaller of the two Gram matrices: several times faster than a singular value decomposition."""
    rows, columns = matrix.shape
    gram = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    return math.sqrt(max(0.0, float(torch.linalg.eigvalsh(gram)[-1])))


def _aligned(noise: Tensor, response: Tensor) -> Tensor | None:
    """The noise at the positions of the response. Where the response is smaller, several positions of the noise
    become more channels of one. None if the positions are unrelated."""
    positions, wanted = (_positions(tensor) for tensor in (noise, response))
    if positions == wanted:
        return noise
    if len(positions) != 3 or len(wanted) != 3 or noise.dim() != 4:
        return None
    factor = positions[1] // wanted[1]
    if positions != (wanted[0], factor * wanted[1], factor * wanted[2]):
        return None
    return F.pixel_unshuffle(noise, factor)


def _positions(x: Tensor) -> tuple[int, ...]:
    """The shape without the channels."""
    return (*x.shape[:2],) if x.dim() == 3 else (x.shape[0], *x.shape[2:])
