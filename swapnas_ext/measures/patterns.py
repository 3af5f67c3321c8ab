"""The published SWAP-Score: the number of distinct activation patterns.

Source: Peng et al., ICLR 2024, arXiv 2403.04161; with ternary patterns arXiv 2605.07378.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from contextlib import ExitStack

from swapnas_ext.measures.measure import Measure
from swapnas_ext.measures.measurement import Measurement
from swapnas_ext.measures.on_samples import OnSamples
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.measures.registry import register
from swapnas_ext.measures.saturation import is_saturated, saturation, saturation_note


@register
class Patterns(Measure[int]):
    """Psi, the number of distinct sample-wise activation patterns over all neurons; its mean over the repeats."""

    name = "patterns"
    title = "SWAP-Score"
    description = "the SWAP-Score, the number of distinct patterns as published (also called swap)"
    replicates = True

    def read(self, network: PreparedNetwork) -> int:
        return self.read_replicates(network)[0]

    def read_replicates(self, network: PreparedNetwork) -> list[int]:
        with network.counter() as counter:
            network.run(counter)
            counts = counter.count()
        return counts if isinstance(counts, list) else [counts]

    def on_samples(self, network: PreparedNetwork, stack: ExitStack) -> OnSamples:
        counter = stack.enter_context(network.counter())
        return OnSamples(counter, finish=counter.count)

    def summary(self, readings: Sequence[int], network: PreparedNetwork) -> Measurement:
        mean = statistics.fmean(readings)
        note = saturation_note(mean, network)
        return Measurement(
            log_value=math.log(mean) if mean else -math.inf,
            value=mean,
            spread=statistics.stdev(readings) / mean if len(readings) > 1 else math.nan,
            repeats=len(readings),
            patterns=tuple(readings),
            saturation=saturation(mean, network),
            saturated=is_saturated(mean, network),
            notes=() if note is None else (note,),
        )
