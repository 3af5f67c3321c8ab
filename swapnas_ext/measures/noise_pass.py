"""The forward pass on noise in which each block runs twice, and operations: what several measures share."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn

from swapnas_ext.measures.blocks import Blocks
from swapnas_ext.measures.channels import Channels
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.models import FlopCount

_NOISE = 0x5EED << 40
"""The stream of random numbers for noise, which differs from that for weights."""


def on_noise(network: PreparedNetwork, samples: int | None = None) -> tuple[Channels, Blocks]:
    """Runs the network on standard normal noise: the channels of its layers, and what its blocks do to a small
    disturbance.

    Args:
        samples: at most so many, see `PreparedNetwork.noise`.
    """
    draws = network.drew_random_numbers()
    generator = network.generator(_NOISE)
    channels = Channels(network.samples, network.ternary)
    blocks = Blocks(network.model, generator, channels, draws=draws)

    @contextmanager
    def hooks() -> Iterator[None]:
        # With the hooks that count operations, as on the samples: without any, torch would run fused layers.
        with blocks.disturbed(), watching(FlopCount(), network.model):
            yield

    network.run(channels, network.noise(generator, samples), hooks=hooks)
    if blocks.ran > 1 and not blocks.gains:
        network.note("its blocks could not be disturbed: they take or return no fitting tensors")
    return channels, blocks


@contextmanager
def watching(operations: FlopCount, model: nn.Module) -> Iterator[None]:
    """Counts operations of the passes inside."""
    try:
        operations.watch(model)
        yield
    finally:
        operations.close()


def operations_of(network: PreparedNetwork, operations: FlopCount) -> int:
    """Operations of one sample; 0, with a note, where none could be counted."""
    flops = operations.per_sample(network.samples) or 0
    if flops == 0:
        network.note("its operations could not be counted, and are taken to be one")
    return flops


def mean(values: Iterable[float]) -> float:
    """The mean, 0 of nothing."""
    known = list(values)
    return statistics.fmean(known) if known else 0.0
