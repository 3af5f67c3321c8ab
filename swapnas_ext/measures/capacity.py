"""The capacity score: how much of its width a network uses, its operations, and its distinct patterns, as one product.
docs/capacity.md says how it was found, and how well it ranks on spaces that it was not found on.

For a network of layers l (activations, each input tensor once) and blocks b::

    log-score = log W  +  1/2 (log F + log Psi + log q)  -  (mean_b log g_b)^2  +  mean_b log s_b

    W = (sum over resolutions of sqrt(sum over their layers of sqrt(E_l C_l)))^2
    q = mean_l (E_l / C_l)^2

* C_l, channels of layer l; E_l, the effective number of its channels before the activation, on noise: the
  participation ratio tr(K)^2 / tr(K^2) of the covariance K between channels. W is a width: a layer counts with the
  geometric mean of what it has and what it uses. Layers of the same number of positions share a resolution; more layers
  of one resolution add less than as many of another.
* q, the mean over layers with more than one position a sample.
* F, operations of the convolutions and linear layers of one sample; Psi, the published count of patterns.
* g_b, how much block b amplifies a small disturbance of its input; s_b, the part of its response that stays where the
  disturbance is: both as in the composite score.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from swapnas_ext.measures.channels import LayerChannels
from swapnas_ext.measures.measure import BeginsOnSamples
from swapnas_ext.measures.measurement import Measurement
from swapnas_ext.measures.noise_pass import mean, on_pairs_of_noise, operations_of, watching
from swapnas_ext.measures.on_samples import OnSamples
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.measures.registry import register
from swapnas_ext.measures.saturation import saturation
from swapnas_ext.models import FlopCount

_PAIRS = 4  # samples of noise, each also disturbed; results are averaged over positions too
_NOTHING = 1e-12  # instead of a width or use of zero


@dataclass(frozen=True)
class Capacity:
    """The parts of the capacity score of one repeat.

    Attributes:
        width: W.
        use: q, the mean over layers of the square of their effective channels over their channels.
        flops: operations of one sample.
        patterns: Psi.
        drift: mean log g over blocks; 0 where there are fewer than two.
        directness: mean log s over blocks, at most 0.
    """

    width: float
    use: float
    flops: int
    patterns: int
    drift: float
    directness: float

    @property
    def log_score(self) -> float:
        counts = max(self.flops, 1) * max(self.patterns, 1) * max(self.use, _NOTHING)
        width = math.log(max(self.width, _NOTHING))
        return width + math.log(counts) / 2 - self.drift**2 + self.directness


@register
class CapacityScore(BeginsOnSamples[Capacity]):
    """Effective width, operations, patterns, and what blocks do to a small disturbance: a forward pass on the samples,
    and one on four samples of noise, each of them once more with every block's input disturbed."""

    name = "capacity"
    title = "capacity"
    description = "width, operations and patterns; near the best ranking on ten tables; takes about twice as long"
    default_init = "keep"

    def on_samples(self, network: PreparedNetwork, stack: ExitStack) -> OnSamples:
        operations = FlopCount()
        counter = stack.enter_context(network.counter())

        def finish() -> Capacity:
            patterns = counter.count()
            assert isinstance(patterns, int)  # of one group
            flops = operations_of(network, operations)
            channels, responses = on_pairs_of_noise(network, _PAIRS)
            return Capacity(
                width=width(channels.layers),
                use=use(channels.layers),
                flops=flops,
                patterns=patterns,
                drift=mean(responses.log_gains()),
                directness=mean(responses.log_directness()),
            )

        return OnSamples(counter, finish, partial(watching, operations, network.model))

    def summary(self, readings: Sequence[Capacity], network: PreparedNetwork) -> Measurement:
        patterns = tuple(reading.patterns for reading in readings)
        return Measurement.of_logarithms(
            [reading.log_score for reading in readings],
            patterns=patterns,
            parts=tuple(readings),
            details={
                "width": [reading.width for reading in readings],
                "use": [reading.use for reading in readings],
                "flops": readings[0].flops,
                "drift": [reading.drift for reading in readings],
                "directness": [reading.directness for reading in readings],
                "heavy_tails": True,  # networks that let no signal through
            },
            saturation=saturation(statistics.fmean(patterns), network),
        )


def width(layers: Sequence[LayerChannels]) -> float:
    """W: see the formula above."""
    by_resolution: dict[int, float] = defaultdict(float)
    for layer in layers:
        by_resolution[layer.positions] += layer.channels * math.sqrt(layer.effective)
    return sum(map(math.sqrt, by_resolution.values())) ** 2


def use(layers: Sequence[LayerChannels]) -> float:
    """q. The covariance of a layer with one position a sample is that of a few samples, which says little about its
    channels; such layers count only where there are no others."""
    spread_out = [layer for layer in layers if layer.positions > 1] or layers
    return mean(layer.effective**2 for layer in spread_out)
