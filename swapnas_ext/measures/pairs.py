"""Measures what the blocks of a model do to a small disturbance, in one forward pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext.measures.blocks import blocks_of
from swapnas_ext.measures.responses import DISTURBANCE, Responses, spread_of, tensor_of
from swapnas_ext.models import mapped

_ALIKE = 1e-3  # differences of rounding between two rows that are the same, relative to the standard deviation


class NotPairs(Exception):
    """The second half of a tensor's rows does not repeat the first half, or a block's signal is not clear."""


class Pairs:
    """Runs a model on rows of which the second half repeats the first half. Before each block, the second half is made
    the same as the first one, but for a small disturbance.

    It tells what `Blocks` tells, without a second run of each block, for models that treat rows alike and draw no
    random numbers.

    Args:
        rows: of both halves together.

    Attributes:
        ran: number of blocks that ran.
        found: the responses of all blocks after the first.
    """

    def __init__(self, model: nn.Module, generator: torch.Generator, rows: int) -> None:
        self._blocks = blocks_of(model)
        self._generator = generator
        self._rows = rows
        self._begun: list[tuple[Tensor, Tensor, float] | None] = []
        self._stand_ins: dict[int, tuple[Tensor, Tensor]] = {}  # by identity, with their originals
        self.ran = 0
        self.found = Responses()

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Raises NotPairs in the forward pass."""
        hooks = []
        try:
            for block in self._blocks:
                hooks.append(block.register_forward_pre_hook(self._before, with_kwargs=True))
                hooks.append(block.register_forward_hook(self._after))
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _before(
        self, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        signals = [value for value in (*args, *kwargs.values()) if self._is_signal(value)]
        like = [value for value in signals if value.dim() == signals[0].dim()]
        if not self.ran and not self._begun:
            if not all(self._repeats(value) for value in signals):
                raise NotPairs
            self._begun.append(None)
            return None
        if not like:
            raise NotPairs
        chosen = like[-1]
        first = chosen[: len(chosen) // 2]
        spread = spread_of(first)
        noise = torch.randn(
            first.shape, generator=self._generator, device=first.device, dtype=first.dtype
        )
        self._begun.append((noise, first, spread))

        def repeated(tensor: Tensor) -> Tensor:
            if not self._has_pairs(tensor):
                return tensor
            half = other = tensor[: len(tensor) // 2]
            if tensor is chosen and 0 < spread < math.inf:
                other = half + DISTURBANCE * spread * noise
            made = torch.cat([half, other])
            self._stand_ins[id(made)] = made, self.original(tensor)
            return made

        renewed: tuple[tuple[Any, ...], dict[str, Any]] = mapped((args, kwargs), repeated)
        return renewed

    def _after(self, block: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        begun = self._begun.pop()
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
        """The tensor that the model made, where a block got another in its place."""
        return self._stand_ins.get(id(x), (x, x))[1]

    def _has_pairs(self, tensor: Tensor) -> bool:
        return tensor.dim() > 0 and len(tensor) > 0 and len(tensor) % self._rows == 0

    def _is_signal(self, value: Any) -> bool:
        is_tensor = isinstance(value, Tensor) and value.is_floating_point()
        return is_tensor and self._has_pairs(value) and value.numel() > len(value)

    def _repeats(self, tensor: Tensor) -> bool:
        first, second = tensor.float().chunk(2)
        return bool((first - second).abs().amax() <= _ALIKE * max(spread_of(first), 1e-9))
