"""The composite score: distinct patterns of each layer, and three more things that forward passes of an
untrained network tell. See docs/composite.md for how it was found, and on which tables it was tested.

For a network of layers l (activations, each input tensor once) and blocks b::

    log-score = log sum_l D_l (E_l / C_l)^2  +  1/2 log F  -  2 mean_b |log g_b|  +  mean_b log s_b

* D_l, distinct patterns of layer l on the samples; C_l, its channels; E_l, the effective number of its
  channels before the activation, on noise: the participation ratio tr(K)^2 / tr(K^2) of the covariance K
  between channels.
* F, operations of the convolutions and linear layers.
* g_b, by how much block b amplifies a small disturbance of its input, relative to both: 1 where a signal
  neither dies out nor explodes.
* s_b, which part of the block's response stays where the disturbance is: the largest singular value of the
  mean response of output channels to input channels at the same position, over the root mean square of
  the whole response; at most 1.

The last two are means over all blocks but the first. In blocks of several arguments, the last tensor of as
many dimensions as the output is disturbed. Of activations of three dimensions, the last is taken for the
channels.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from swapnas_ext.capture import Capture
from swapnas_ext.counter import PatternCounter
from swapnas_ext.flops import FlopCount
from swapnas_ext.inputs import copied
from swapnas_ext.repeats import Counters, Repeats
from swapnas_ext.result import Composite

_OTHER_SEEDS = 0x5EED << 40
_DISTURBANCE = 1e-2  # of a block's input, relative to its standard deviation
_LEAST = 1e-3  # that g and s are taken to be, and the inverse of the most


class CompositeRepeats(Repeats):
    """`Repeats`, one after another, with another forward pass of each on noise, in which blocks run twice.

    Attributes:
        composites: of each repeat.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._composites: dict[int, Composite] = {}
        self._counters = _by_layer(self._counters)

    @property
    def composites(self) -> list[Composite]:
        return [self._composites[repeat] for repeat in range(len(self.patterns))]

    def _batches(self) -> None:
        """Blocks can't be disturbed under vmap."""

    def _replayed(self, counter: PatternCounter, stack: ExitStack) -> None:
        """Nor in a CUDA graph."""

    def all(self) -> None:
        # Tensors of inference mode have no version: each use of one would be a layer.
        with torch.inference_mode(False):
            super().all()

    def _forward(self, counter: Any, capture: Capture, repeat: int) -> None:
        flops = FlopCount()
        try:
            flops.watch(self._model)
            super()._forward(counter, capture, repeat)
            start = time.perf_counter()
            operations = flops.per_sample(counter.samples) or 0
            channels, blocks = self._on_noise(counter, repeat)
        finally:
            flops.close()
        if len(channels.effective) != len(counter.distinct):
            self._note(
                "its layers on noise are others than on its samples, and were paired in order"
            )
        if operations == 0:
            self._note("its operations could not be counted, and are taken to be one")
        if blocks.ran > 1 and not blocks.gains:
            self._note("its blocks could not be disturbed: they take or return no fitting tensors")
        pairs = zip(counter.distinct, channels.effective, strict=False)
        self._composites[repeat] = Composite(
            diversity=sum(distinct * part**2 for distinct, part in pairs),
            flops=operations,
            gain=_mean(abs(math.log(_clipped(gain))) for gain in blocks.gains),
            directness=_mean(math.log(min(1.0, _clipped(part))) for part in blocks.direct),
        )
        self.seconds[1] += time.perf_counter() - start

    def _on_noise(self, counter: Any, repeat: int) -> tuple[_Channels, _Blocks]:
        self._fresh()
        self._seed(self._settings.seed + repeat)
        # Other numbers than the weights are drawn from.
        generator = torch.Generator(self._device).manual_seed(
            (self._settings.seed + repeat + _OTHER_SEEDS) % 2**63
        )
        channels = _Channels(counter.samples, counter.ternary)
        blocks = _Blocks(self._model, generator, channels)
        args, kwargs = self._batch_of_inputs.noise(generator, self._device)
        capture = Capture(channels, self._settings.plan, of_inputs=True)
        with capture.running(self._sites), blocks.disturbed():
            self._model(*args, **kwargs)
        return channels, blocks

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _mean(values: Iterator[float]) -> float:
    known = list(values)
    return statistics.fmean(known) if known else 0.0


def _clipped(ratio: float) -> float:
    return min(max(ratio, _LEAST), 1 / _LEAST)


# ---- patterns of each layer --------------------------------------------------------------------------


def _by_layer(counters: Counters) -> Counters:
    @contextmanager
    def by_layer(device: torch.device, ternary: bool, groups: int) -> Iterator[_LayerCounter]:
        with (
            counters(device, ternary, groups) as whole,
            counters(device, ternary, groups) as layer,
        ):
            yield _LayerCounter(whole, layer)

    return by_layer  # type: ignore[return-value]


class _LayerCounter:
    """Counts the patterns of all layers together, and of each by itself."""

    def __init__(self, whole: PatternCounter, layer: PatternCounter) -> None:
        self._whole = whole
        self._layer = layer
        self.samples = whole.samples
        self.ternary = whole.ternary
        self.distinct: list[int] = []
        """Of each layer, in the order of the calls."""

    @property
    def saw_nan(self) -> bool:
        return self._whole.saw_nan

    @property
    def resets(self) -> int:
        return self._whole.resets

    def reset(self) -> None:
        self._whole.reset()
        self.distinct.clear()

    def count(self) -> int | list[int]:
        return self._whole.count()

    def count_on_host(self) -> int:
        return self._whole.count_on_host()

    def reserve(self, neurons: int) -> None:
        self._whole.reserve(neurons)

    def update(self, x: Tensor) -> None:
        self._whole.update(x)
        self._count_layer(x)

    def direct_relu(self) -> None:
        return None

    def relu(self, x: Tensor) -> Tensor:
        y = self._whole.relu(x)
        self._count_layer(y)
        return y

    def relu_(self, x: Tensor) -> Tensor:
        y = self._whole.relu_(x)
        self._count_layer(y)
        return y

    def _count_layer(self, x: Tensor) -> None:
        self._layer.reset()
        self._layer.update(x)
        on_host = x.device.type == "cpu"
        count = self._layer.count_on_host() if on_host else self._layer.count()
        self.distinct.append(int(count))  # type: ignore[arg-type]  # of one group


# ---- channels that vary ------------------------------------------------------------------------------


class _Channels:
    """Takes the place of a counter: of each layer, the effective part of its channels."""

    saw_nan = False
    resets = 0

    def __init__(self, samples: int, ternary: bool) -> None:
        self.samples = samples
        self.ternary = ternary
        self.effective: list[float] = []
        self.listening = True

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
    channels = _by_channel(x.float())
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


def _by_channel(x: Tensor) -> Tensor:
    """``[channels, all else]``."""
    if x.dim() == 3:
        return x.flatten(0, 1).T
    return x.transpose(0, 1).flatten(1) if x.dim() > 1 else x[None]


# ---- blocks that are disturbed -----------------------------------------------------------------------


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The outermost modules that have parts themselves and stand in an ``nn.Sequential`` or
    ``nn.ModuleList``: residual blocks, cells, encoder layers. Not those of TorchScript."""
    if isinstance(model, torch.jit.ScriptModule):
        return []
    found: list[nn.Module] = []
    if isinstance(model, nn.Sequential | nn.ModuleList):
        found = [child for child in model.children() if next(child.children(), None) is not None]
    if not found:
        found = [block for child in model.children() for block in blocks_of(child)]
    hookable = (block for block in found if not isinstance(block, torch.jit.ScriptModule))
    return list(dict.fromkeys(hookable))


class _Blocks:
    """Runs each block of a model again, with its input disturbed, right after it ran.

    Attributes:
        ran: blocks that did.
        gains: relative change of the output over that of the input, of each block but the first.
        direct: the part of the response that stays at its position, of each block but the first.
    """

    def __init__(self, model: nn.Module, generator: torch.Generator, channels: _Channels) -> None:
        self._blocks = blocks_of(model)
        self._generator = generator
        self._channels = channels
        self._running = False
        self._inputs: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
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

    def _before(self, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._running:  # its own activations may be in place
            self._inputs.append(copied((args, kwargs)))

    def _after(self, block: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if self._running:
            return
        args, kwargs = self._inputs.pop()
        self.ran += 1
        y = _tensor_of(output)
        if self.ran == 1 or y is None:
            return
        places = [*((args, place) for place in range(len(args))), *((kwargs, n) for n in kwargs)]
        fitting = [(values, place) for values, place in places if _fits(values[place], y)]
        if not fitting:
            return
        values, place = fitting[-1]
        self._running, self._channels.listening = True, False
        try:
            self._disturb(block, args, kwargs, values, place, y)
        finally:
            self._running, self._channels.listening = False, True

    def _disturb(
        self,
        block: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        values: Any,
        place: Any,
        output: Tensor,
    ) -> None:
        """Disturbs ``values[place]``, where values are the arguments or the keyword arguments."""
        x = values[place]
        spread_in, spread_out = _spread(x), _spread(output)
        if not (0 < spread_in < math.inf and 1e-9 < spread_out < math.inf):
            self._collapsed()
            return
        noise = torch.randn(x.shape, generator=self._generator, device=x.device, dtype=x.dtype)
        step = _DISTURBANCE * spread_in
        before = output.clone()  # it may be the input
        if values is args:
            args = (*args[:place], x + step * noise, *args[place + 1 :])
        else:
            kwargs = {**kwargs, place: x + step * noise}
        after = _tensor_of(block(*args, **kwargs))
        with torch.autocast(x.device.type, enabled=False):
            response = (after.float() - before.float()) / step
            spread = _spread(response)
            if not math.isfinite(spread):
                self._collapsed()
                return
            self.gains.append(spread / _spread(noise) * spread_in / spread_out)
            aligned = _aligned(noise.float(), response)
            if aligned is not None:
                a, b = (_by_channel(tensor) for tensor in (aligned, response))
                direct = float(torch.linalg.matrix_norm(a @ b.T / a.shape[1], 2))
                self.direct.append(direct / spread if spread > 0 else 0.0)

    def _collapsed(self) -> None:
        self.gains.append(0.0)
        self.direct.append(0.0)


def _tensor_of(output: Any) -> Tensor | None:
    """The output of a block, or the first of several, where that is of real numbers."""
    if isinstance(output, tuple | list) and output:
        output = output[0]
    return output if isinstance(output, Tensor) and output.is_floating_point() else None


def _fits(value: Any, output: Tensor) -> bool:
    """Whether an argument may be what the block is a function of: not a mask, a scale or an option."""
    same = isinstance(value, Tensor) and value.is_floating_point() and value.dim() == output.dim()
    return same and value.numel() > 1


def _spread(x: Tensor) -> float:
    return float(x.double().std())


def _aligned(noise: Tensor, response: Tensor) -> Tensor | None:
    """The noise by positions of the response: several lie at one where that is smaller, as more channels.
    None where positions have nothing to do with each other."""
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
