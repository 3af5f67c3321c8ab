"""Measures what the blocks of a model do to a small disturbance, in one forward pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import version_of
from swapnas_ext.measures.blocks import blocks_of, hooked
from swapnas_ext.measures.channels_first import ChannelsFirst
from swapnas_ext.measures.responses import DISTURBANCE, Responses, spread_of, tensor_of
from swapnas_ext.models import attributes_with_tensors, mapped, tensors_in

# Differences between the halves, relative to the standard deviation of the first one:
_ROUNDED = 1e-3  # the largest one between rows that are the same
_DISTURBED = 0.1  # the standard deviation of those that a disturbance in the block before has left


class NotPairs(Exception):
    """The second half of a tensor's rows does not repeat the first half, a block's signal is not clear, or a block
    may write to what it is given."""


class Pairs:
    """Runs a model on rows of which the second half repeats the first half. Before each block, the second half is made
    the same as the first one, but for a small disturbance.

    It tells what `Blocks` tells, without a second run of each block, for models that treat rows alike and draw no
    random numbers.

    Args:
        rows: of both halves together.
        channels_first: of the model.

    Attributes:
        ran: number of blocks that ran.
        found: the responses of all blocks after the first.
    """

    def __init__(
        self,
        model: nn.Module,
        generator: torch.Generator,
        rows: int,
        channels_first: ChannelsFirst,
    ) -> None:
        self._blocks = blocks_of(model)
        self._generator = generator
        self._rows = rows
        self._begun: list[tuple[list[Tensor], tuple[Tensor, Tensor, float] | None]] = []
        self.ran = 0
        self.found = Responses(channels_first)

    def disturbed(self) -> AbstractContextManager[None]:
        """Raises NotPairs in the forward pass."""
        return hooked(self._blocks, self._before, self._after)

    def _before(
        self, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        values = (*args, *kwargs.values())
        is_first = not self.ran and not self._begun
        if any(map(_is_writable, values)) or not all(
            self._repeats(tensor, is_first) for tensor in tensors_in(values)
        ):
            raise NotPairs
        if is_first:
            self._begun.append(([], None))
            return None
        signals = [value for value in values if self._is_signal(value)]
        like = [value for value in signals if value.dim() == signals[0].dim()]
        if not like:
            raise NotPairs
        chosen = like[-1]
        first = chosen[: len(chosen) // 2]
        spread = spread_of(first)
        noise = torch.randn(
            first.shape, generator=self._generator, device=first.device, dtype=first.dtype
        )
        stand_ins: list[Tensor] = []
        self._begun.append((stand_ins, (noise, first, spread)))

        def repeated(tensor: Tensor) -> Tensor:
            if not self._has_pairs(tensor):
                return tensor
            half = other = tensor[: len(tensor) // 2]
            if tensor is chosen and 0 < spread < math.inf:
                other = half + DISTURBANCE * spread * noise
            made = torch.cat([half, other])
            made._stands_for = self.original(tensor), version_of(made)  # type: ignore[attr-defined] # goes with it
            stand_ins.append(made)
            return made

        renewed: tuple[tuple[Any, ...], dict[str, Any]] = mapped((args, kwargs), repeated)
        return renewed

    def _after(self, block: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        stand_ins, begun = self._begun.pop()
        for stand_in in stand_ins:
            original, version = stand_in._stands_for  # type: ignore[attr-defined] # see above
            if version_of(stand_in) != version:  # the block has changed its input
                original.copy_(stand_in)
        self.ran += 1
        y = tensor_of(output)
        if begun is None or y is None:
            return
        noise, x, spread_in = begun
        if y.dim() != x.dim() or not self._has_pairs(y):
            raise NotPairs
        with torch.autocast(y.device.type, enabled=False):
            before, after = y.float().chunk(2)
            spread_out = spread_of(before)
            if not (0 < spread_in < math.inf and 1e-9 < spread_out < math.inf):
                self.found.add_nothing()
                return
            step = DISTURBANCE * spread_in
            self.found.add(noise, (after - before) / step, spread_in / spread_out)

    def undisturbed(self, x: Tensor) -> Tensor:
        """The rows of the first half."""
        return x[: len(x) // 2] if self._has_pairs(x) else x

    def original(self, x: Tensor) -> Tensor:
        """The tensor that the model made, where a block got another in its place and has not changed it."""
        original: Tensor
        original, version = getattr(x, "_stands_for", (x, None))
        return x if version_of(x) != version else original

    def _has_pairs(self, tensor: Tensor) -> bool:
        return tensor.dim() > 0 and len(tensor) > 0 and len(tensor) % self._rows == 0

    def _is_signal(self, value: Any) -> bool:
        is_tensor = isinstance(value, Tensor) and value.is_floating_point()
        return is_tensor and self._has_pairs(value) and value.numel() > len(value)

    def _repeats(self, tensor: Tensor, is_first: bool) -> bool:
        if not self._has_pairs(tensor) or tensor.numel() == len(tensor):
            return True
        first, second = tensor.float().chunk(2)
        spread = max(float(first.std()), 1e-9)
        if is_first:
            return bool((first - second).abs().amax() <= _ROUNDED * spread)
        return float((first - second).std()) <= _DISTURBED * spread


def _is_writable(value: Any) -> bool:
    """Whether a value is or holds a container with tensors, or one for them."""
    if isinstance(value, tuple):
        return any(map(_is_writable, value))
    return isinstance(value, list | Mapping) or attributes_with_tensors(value) is not None
