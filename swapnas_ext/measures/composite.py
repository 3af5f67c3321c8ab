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
from torch import Tensor

from swapnas_ext.capture import Capture
from swapnas_ext.measures.blocks import Blocks
from swapnas_ext.measures.channels import Channels
from swapnas_ext.models import FlopCount, RandomState
from swapnas_ext.patterns import PatternCounter
from swapnas_ext.scoring.repeats import Counters, Repeats
from swapnas_ext.scoring.swap_score import Composite

_OTHER_SEEDS = 0x5EED << 40
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

    def _runs_once(self) -> bool:
        return False

    def _batches(self) -> None:
        """Blocks can't be disturbed under vmap."""

    def _replayed(self, counter: PatternCounter, stack: ExitStack) -> None:
        """Nor in a CUDA graph."""

    def all(self) -> None:
        # Tensors of inference mode have no version: each use of one would be a layer.
        with torch.inference_mode(False):
            super().all()

    def _forward(self, counter: Any, capture: Capture, repeat: int) -> None:
        super()._forward(counter, capture, repeat)
        start = time.perf_counter()
        operations = self._flops.per_sample(counter.samples) or 0
        self._left_out |= capture.unfit.keys()
        channels, blocks = self._on_noise(counter, repeat)
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

    def _on_noise(self, counter: Any, repeat: int) -> tuple[Channels, Blocks]:
        self._fresh()
        after_samples = RandomState(self._device)
        self._seed(self._settings.seed + repeat)  # as before the samples
        # Other numbers than the weights are drawn from.
        generator = torch.Generator(self._device).manual_seed(
            (self._settings.seed + repeat + _OTHER_SEEDS) % 2**63
        )
        channels = Channels(counter.samples, counter.ternary)
        draws = not after_samples.is_now()
        blocks = Blocks(self._model, generator, channels, draws=draws)
        args, kwargs = self._batch_of_inputs.noise(generator, self._device)
        capture = self._capture(channels, of_inputs=True)
        with blocks.disturbed():
            self._run_model(capture, args, kwargs)
        return channels, blocks

    def _run_model(self, capture: Capture, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._flops = FlopCount()
        try:
            self._flops.watch(self._model)
            super()._run_model(capture, args, kwargs)
        finally:
            self._flops.close()

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

    counts_once = True

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
