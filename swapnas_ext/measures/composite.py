"""The composite score: distinct patterns of each layer, and three more quantities that forward passes of an
untrained network tell. docs/composite.md says how it was found and on which tables it was tested.

For a network of layers l (activations, each input tensor once) and blocks b::

    log-score = log sum_l D_l (E_l / C_l)^2  +  1/2 log F  -  2 mean_b |log g_b|  +  mean_b log s_b

* D_l, distinct patterns of layer l on the samples; C_l, its channels; E_l, the effective number of its
  channels before the activation, on noise: the participation ratio tr(K)^2 / tr(K^2) of the covariance K
  between channels.
* F, operations of the convolutions and linear layers.
* g_b, how much block b amplifies a small disturbance of its input, both relative to their size: 1 where a signal
  neither dies out nor explodes.
* s_b, the part of the block's response that stays where the disturbance is: the largest singular value of the
  mean response of output channels to input channels at the same position, over the root mean square of
  the whole response; at most 1.

The last two are means over all blocks after the first. In a block with several arguments, the last tensor with as
many dimensions as the output is disturbed. In activations with three dimensions, the last one is taken for the
channels.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from swapnas_ext.measures.measure import BeginsOnSamples
from swapnas_ext.measures.measurement import Measurement
from swapnas_ext.measures.noise_pass import mean, on_noise, operations_of, watching
from swapnas_ext.measures.on_samples import OnSamples
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.measures.registry import register
from swapnas_ext.measures.saturation import saturation
from swapnas_ext.models import FlopCount
from swapnas_ext.patterns import Observer, PatternCounter

_NOTHING = 1e-12  # instead of a diversity of zero


@dataclass(frozen=True)
class Composite:
    """The parts of the composite score of one repeat.

    Attributes:
        diversity: sum over layers of their distinct patterns, each weighted by the square of its
            effective channels over its channels.
        flops: operations of one sample.
        gain: mean |log g| over blocks; 0 where there are fewer than two.
        directness: mean log s over blocks, at most 0.
        patterns: Psi, of all layers together.
    """

    diversity: float
    flops: int
    gain: float
    directness: float
    patterns: int = 0

    @property
    def log_score(self) -> float:
        return (
            math.log(max(self.diversity, _NOTHING))
            + math.log(max(self.flops, 1)) / 2
            - 2 * self.gain
            + self.directness
        )


@register
class CompositeScore(BeginsOnSamples[Composite]):
    """Distinct patterns of each layer, operations, and what blocks do to a small disturbance: two forward passes a
    repeat, on the samples and on noise, in which each block runs twice."""

    name = "composite"
    title = "composite"
    description = (
        "distinct patterns of each layer, and more; ranks best on some tables and fails on others, takes two to "
        "three times as long"
    )
    default_init = "kaiming"

    def on_samples(self, network: PreparedNetwork, stack: ExitStack) -> OnSamples:
        operations = FlopCount()
        whole = stack.enter_context(network.counter())
        by_layer = _LayerCounter(whole, stack.enter_context(network.counter()))

        def finish() -> Composite:
            patterns = whole.count()
            assert isinstance(patterns, int)  # of one group
            flops = operations_of(network, operations)
            channels, responses = on_noise(network)
            if len(channels.layers) != len(by_layer.distinct):
                network.note(
                    "its layers on noise are others than on its samples, and were paired in order"
                )
            pairs = zip(by_layer.distinct, channels.layers, strict=False)
            return Composite(
                diversity=sum(distinct * layer.effective**2 for distinct, layer in pairs),
                flops=flops,
                gain=mean(abs(gain) for gain in responses.log_gains()),
                directness=mean(responses.log_directness()),
                patterns=patterns,
            )

        return OnSamples(by_layer, finish, partial(watching, operations, network.model))

    def summary(self, readings: Sequence[Composite], network: PreparedNetwork) -> Measurement:
        patterns = tuple(reading.patterns for reading in readings)
        return Measurement.of_logarithms(
            [reading.log_score for reading in readings],
            patterns=patterns,
            parts=tuple(readings),
            details={
                "diversity": [reading.diversity for reading in readings],
                "flops": readings[0].flops,
                "gain": [reading.gain for reading in readings],
                "directness": [reading.directness for reading in readings],
                "heavy_tails": True,  # networks that let no signal through
            },
            saturation=saturation(statistics.fmean(patterns), network),
        )


class _LayerCounter(Observer):
    """Counts the patterns of all layers together, and of each by itself.

    Attributes:
        distinct: patterns of each layer, in the order of the calls.
    """

    counts_once = True
    counts_patterns = True

    def __init__(self, whole: PatternCounter, layer: PatternCounter) -> None:
        super().__init__(whole.samples, whole.ternary)
        self.distinct: list[int] = []
        self.resets = whole.resets
        self._whole = whole
        self._layer = layer

    @property
    def saw_nan(self) -> bool:
        return self._whole.saw_nan

    def count_on_host(self) -> int:
        return self._whole.count_on_host()

    def update(self, x: Tensor) -> None:
        self._whole.update(x)
        self._count_layer(x)

    def relu(self, x: Tensor) -> Tensor:
        y = self._whole.relu(x)
        self._count_layer(y)
        return y

    def _count_layer(self, x: Tensor) -> None:
        self._layer.reset()
        self._layer.update(x)
        on_host = x.device.type == "cpu"
        count = self._layer.count_on_host() if on_host else self._layer.count()
        self.distinct.append(int(count))  # type: ignore[arg-type]  # of one group
