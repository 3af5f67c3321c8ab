"""Measures what the blocks of a model do to a small disturbance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from swapnas_ext.measures.channels import Channels, by_channel
from swapnas_ext.models import Arguments, BlockState

_DISTURBANCE = 1e-2  # of a block's input, relative to its standard deviation
_LEAST = 1e-3  # logarithms are of ratios clipped from below to this, and from above to its inverse


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The outermost modules with children of their own that are items of an ``nn.Sequential`` or
    ``nn.ModuleList``: residual blocks, cells, encoder layers. Modules of TorchScript are left out."""
    if isinstance(model, torch.jit.ScriptModule):
        return []
    found: list[nn.Module] = []
    if isinstance(model, nn.Sequential | nn.ModuleList):
        found = [child for child in model.children() if next(child.children(), None) is not None]
    if not found:
        found = [block for child in model.children() for block in blocks_of(child)]
    hookable = (block for block in found if not isinstance(block, torch.jit.ScriptModule))
    return list(dict.fromkeys(hookable))


class Blocks:
    """Runs each block of a model again, with its input disturbed, right after it ran.

    Args:
        draws: whether the model draws random numbers.

    Attributes:
        ran: number of blocks that ran.
        gains: for each block after the first, the relative change of its output over that of its input.
        direct: for each block after the first, the part of the response that stays at its position.
    """

    def __init__(
        self, model: nn.Module, generator: torch.Generator, channels: Channels, *, draws: bool
    ) -> None:
        self._blocks = blocks_of(model)
        self._draws_on = generator.device if draws else None
        self._generator = generator
        self._channels = channels
        self._running = False
        self._begun: list[BlockState | None] = []  # None for the first block
        self.ran = 0
        self.gains: list[float] = []
        self.direct: list[float] = []

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        hooks = []
        try:
            for block in self._blocks:
                hooks.append(block.register_forward_pre_hook(self._before, with_kwargs=True))
                hooks.append(block.register_forward_hook(self._after))
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def log_gains(self) -> list[float]:
        """Logarithms of the gains, clipped to 1/1000 and 1000."""
        return [math.log(_clipped(gain)) for gain in self.gains]

    def log_directness(self) -> list[float]:
        """Logarithms of the direct parts, clipped to 1/1000 and 1."""
        return [math.log(min(1.0, _clipped(part))) for part in self.direct]

    def _before(self, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._running:  # otherwise this is our own second run
            arguments: Arguments = dict(enumerate(args))
            arguments.update(kwargs)
            is_first = not self.ran and not self._begun
            self._begun.append(None if is_first else BlockState(block, arguments, self._draws_on))

    def _after(self, block: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if self._running:
            return
        begun = self._begun.pop()
        self.ran += 1
        y = _tensor_of(output)
        if begun is None or y is None:
            return
        before = y.clone()  # it may share memory with the input
        self._running = True
        self._channels.listen(False)
        try:
            with begun.again() as arguments:
                self._disturb(block, arguments, before)
        finally:
            self._running = False
            self._channels.listen(True)

    def _disturb(self, block: nn.Module, arguments: Arguments, before: Tensor) -> None:
        fitting = [name for name, value in arguments.items() if _fits(value, before)]
        if not fitting:
            return
        x = arguments[fitting[-1]]
        spread_in, spread_out = _spread(x), _spread(before)
        if not (0 < spread_in < math.inf and 1e-9 < spread_out < math.inf):
            self._collapsed()
            return
        noise = torch.randn(x.shape, generator=self._generator, device=x.device, dtype=x.dtype)
        step = _DISTURBANCE * spread_in
        arguments[fitting[-1]] = x + step * noise
        args = [value for key, value in arguments.items() if isinstance(key, int)]
        kwargs = {key: value for key, value in arguments.items() if isinstance(key, str)}
        after = _tensor_of(block(*args, **kwargs))
        if after is None:  # it returns something else now
            return
        with torch.autocast(x.device.type, enabled=False):
            response = (after.float() - before.float()) / step
            spread = _spread(response)
            if not math.isfinite(spread):
                self._collapsed()
                return
            self.gains.append(spread / _spread(noise) * spread_in / spread_out)
            aligned = _aligned(noise.float(), response)
            if aligned is not None:
                a, b = (by_channel(tensor) for tensor in (aligned, response))
                direct = float(torch.linalg.matrix_norm(a @ b.T / a.shape[1], 2))
                self.direct.append(direct / spread if spread > 0 else 0.0)

    def _collapsed(self) -> None:
        self.gains.append(0.0)
        self.direct.append(0.0)


def _tensor_of(output: Any) -> Tensor | None:
    """The output of a block, or the first of several; None if it is no floating-point tensor."""
    if isinstance(output, tuple | list) and output:
        output = output[0]
    return output if isinstance(output, Tensor) and output.is_floating_point() else None


def _fits(value: Any, output: Tensor) -> bool:
    """Whether an argument may be the signal: not a mask, a scale or an option."""
    same = isinstance(value, Tensor) and value.is_floating_point() and value.dim() == output.dim()
    return same and value.numel() > 1


def _clipped(ratio: float) -> float:
    return min(max(ratio, _LEAST), 1 / _LEAST)


def _spread(x: Tensor) -> float:
    return float(x.double().std())


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
