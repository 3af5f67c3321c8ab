"""Measures what the blocks of a model do to a small disturbance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext.measures.channels import Channels
from swapnas_ext.measures.channels_first import ChannelsFirst
from swapnas_ext.measures.responses import DISTURBANCE, Responses, spread_of, tensor_of
from swapnas_ext.models import Arguments, BlockState


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


@contextmanager
def hooked(
    blocks: Iterable[nn.Module], before: Callable[..., Any], after: Callable[..., Any]
) -> Iterator[None]:
    """Calls ``before(block, args, kwargs)`` before each run of a block, and ``after(block, args, output)`` after it."""
    hooks = []
    try:
        for block in blocks:
            hooks.append(block.register_forward_pre_hook(before, with_kwargs=True))
            hooks.append(block.register_forward_hook(after))
        yield
    finally:
        for hook in hooks:
            hook.remove()


class Blocks:
    """Runs each block of a model again, with its input disturbed, right after it ran.

    Args:
        channels_first: of the model.
        draws: whether the model draws random numbers.

    Attributes:
        ran: number of blocks that ran.
        found: the responses of all blocks after the first.
    """

    def __init__(
        self,
        model: nn.Module,
        generator: torch.Generator,
        channels: Channels,
        channels_first: ChannelsFirst,
        *,
        draws: bool,
    ) -> None:
        self._blocks = blocks_of(model)
        self._draws_on = generator.device if draws else None
        self._generator = generator
        self._channels = channels
        self._running = False
        self._begun: list[BlockState | None] = []  # None for the first block
        self.ran = 0
        self.found = Responses(channels_first)

    def disturbed(self) -> AbstractContextManager[None]:
        return hooked(self._blocks, self._before, self._after)

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
        y = tensor_of(output)
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
        spread_in, spread_out = spread_of(x), spread_of(before)
        if not (0 < spread_in < math.inf and 1e-9 < spread_out < math.inf):
            self.found.add_nothing()
            return
        noise = torch.randn(x.shape, generator=self._generator, device=x.device, dtype=x.dtype)
        step = DISTURBANCE * spread_in
        arguments[fitting[-1]] = x + step * noise
        args = [value for key, value in arguments.items() if isinstance(key, int)]
        kwargs = {key: value for key, value in arguments.items() if isinstance(key, str)}
        after = tensor_of(block(*args, **kwargs))
        if after is None:  # it returns something else now
            return
        with torch.autocast(x.device.type, enabled=False):
            self.found.add(noise, (after.float() - before.float()) / step, spread_in / spread_out)


def _fits(value: Any, output: Tensor) -> bool:
    """Whether an argument may be the signal: not a mask, a scale or an option."""
    same = isinstance(value, Tensor) and value.is_floating_point() and value.dim() == output.dim()
    return same and value.numel() > 1
