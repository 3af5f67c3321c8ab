"""Sizes of a network, which many scores are compared with: its parameters and its operations."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from functools import partial

from swapnas_ext.measures.measure import Measure
from swapnas_ext.measures.measurement import Measurement
from swapnas_ext.measures.noise_pass import watching
from swapnas_ext.measures.one_number import name_of_model
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.measures.registry import register
from swapnas_ext.models import FlopCount


class Size(Measure[int]):
    """A measure that reads a size above zero. The value is that number itself."""

    default_init = "keep"

    def summary(self, readings: Sequence[int], network: PreparedNetwork) -> Measurement:
        mean = statistics.fmean(readings)
        return Measurement(
            log_value=math.log(mean),
            value=mean,
            spread=statistics.stdev(readings) / mean if len(readings) > 1 else math.nan,
            repeats=len(readings),
            details=self.details(readings),
        )

    def details(self, readings: Sequence[int]) -> Mapping[str, int]:
        return {}


@register
class Parameters(Size):
    """The number of parameters, tied ones once. It runs nothing.

    Raises (when read):
        ValueError: a network without parameters.
    """

    name = "params"
    title = "parameters"
    description = "the number of parameters"

    def read(self, network: PreparedNetwork) -> int:
        if network.parameters == 0:
            raise ValueError(
                f"{name_of_model(network)} has no parameters: this measure counts them, and needs one"
            )
        return network.parameters


@register
class Operations(Size):
    """The operations of one sample, in the layers that `FlopCount` knows; a multiplication with its addition counts as
    two.

    Raises (when read):
        ValueError: no operation could be counted.
    """

    name = "flops"
    title = "FLOPs"
    description = "the operations of one sample"

    def read(self, network: PreparedNetwork) -> int:
        operations = FlopCount()
        with network.output(hooks=partial(watching, operations, network.model)):
            flops = operations.per_sample(network.samples)
        if not flops:
            raise ValueError(
                f"no operation of {name_of_model(network)} could be counted: this measure needs a convolution or "
                "linear layer that is not TorchScript"
            )
        return flops

    def details(self, readings: Sequence[int]) -> Mapping[str, int]:
        return {"flops": readings[0]}
