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

The last two are means over all blocks but the first.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from swapnas_ext.capture import Capture
from swapnas_ext.counter import PatternCounter
from swapnas_ext.flops import FlopCount
from swapnas_ext.repeats import Counters, Repeats
from swapnas_ext.result import Composite

_NOISE = 4  # samples: what they tell is a mean over positions too
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

    def _forward(self, counter: Any, capture: Capture, repeat: int) -> None:
        flops = FlopCount()
        try:
            flops.watch(self._model)
            super()._forward(counter, capture, repeat)
        finally:
            flops.close()
        start = time.perf_counter()
        self._fresh()
        self._seed(self._settings.seed + repeat)
        generator = self._generator(repeat)
        channels = _Channels(counter.samples, counter.ternary)
        blocks = _Blocks(self._model, generator, channels)
        args, kwargs = self._batch_of_inputs.noise(_NOISE, generator, self._device)
        capture = Capture(channels, self._settings.plan, of_inputs=True)
        with capture.running(self._sites), blocks.disturbed():
            self._model(*args, **kwargs)
        self._composites[repeat] = Composite(
            diversity=sum(
                distinct * part**2
                for distinct, part in zip(counter.distinct, channels.effective, strict=False)
            ),
            flops=flops.per_sample(counter.samples) or 0,
            gain=_mean(abs(math.log(_clipped(gain))) for gain in blocks.gains),
            directness=_mean(math.log(min(1.0, _clipped(part))) for part in blocks.direct),
        )
        self.seconds[1] += time.perf_counter() - start


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
    covariance = channels @ channels.T
    total = float(covariance.trace())
    return total**2 / float((covariance**2).sum()) / len(channels)


def _by_channel(x: Tensor) -> Tensor:
    """``[channels, all else]``."""
    if x.dim() == 3:
        return x.flatten(0, 1).T
    return x.transpose(0, 1).flatten(1) if x.dim() > 1 else x[None]


# ---- blocks that are disturbed -----------------------------------------------------------------------


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The outermost modules that have parts themselves and stand in an ``nn.Sequential`` or
    ``nn.ModuleList``: residual blocks, cells, encoder layers."""
    if isinstance(model, nn.Sequential | nn.ModuleList):
        inside = [child for child in model.children() if next(child.children(), None) is not None]
        if inside:
            return inside
    return [block for child in model.children() for block in blocks_of(child)]


class _Blocks:
    """Runs each block of a model again, with its input disturbed, right after it ran.

    Attributes:
        gains: relative change of the output over that of the input, of each block but the first.
        direct: the part of the response that stays at its position, of each block but the first.
    """

    def __init__(self, model: nn.Module, generator: torch.Generator, channels: _Channels) -> None:
        self._blocks = blocks_of(model)
        self._generator = generator
        self._channels = channels
        self._running = False
        self._inputs: list[tuple[Tensor, ...] | None] = []
        self._first = True
        self.gains: list[float] = []
        self.direct: list[float] = []

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        hooks = []
        try:
            for block in self._blocks:
                hooks.append(block.register_forward_pre_hook(self._before))
                hooks.append(block.register_forward_hook(self._after))
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _before(self, block: nn.Module, args: tuple[Any, ...]) -> None:
        if self._running:
            return
        # Its own activations may be in place.
        disturbable = bool(args) and isinstance(args[-1], Tensor) and args[-1].is_floating_point()
        copied = (arg.clone() if isinstance(arg, Tensor) else arg for arg in args)
        self._inputs.append(tuple(copied) if disturbable else None)

    def _after(self, block: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if self._running:
            return
        inputs = self._inputs.pop()
        first, self._first = self._first, False
        if first or inputs is None or not isinstance(output, Tensor):
            return
        self._running, self._channels.listening = True, False
        try:
            self._disturb(block.forward, inputs, output)
        finally:
            self._running, self._channels.listening = False, True

    def _disturb(
        self, forward: Callable[..., Tensor], inputs: Sequence[Any], output: Tensor
    ) -> None:
        x = inputs[-1]
        spread_in, spread_out = (float(tensor.double().std()) for tensor in (x, output))
        if not (0 < spread_in < math.inf and 1e-9 < spread_out < math.inf):
            self.gains.append(0.0)
            self.direct.append(0.0)
            return
        noise = torch.randn(x.shape, generator=self._generator, device=x.device, dtype=x.dtype)
        step = _DISTURBANCE * spread_in
        output = output.clone()  # it may be the input
        response = (forward(*inputs[:-1], x + step * noise) - output) / step
        spread = float(response.double().std())
        self.gains.append(spread / float(noise.double().std()) * spread_in / spread_out)
        aligned = _aligned(noise, response)
        if aligned is not None:
            a, b = (_by_channel(tensor) for tensor in (aligned, response))
            direct = float(torch.linalg.matrix_norm(a @ b.T / a.shape[1], 2))
            self.direct.append(direct / spread if spread > 0 else 0.0)


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
