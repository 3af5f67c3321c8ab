"""The forward pass on noise in which each block runs twice, and operations: what several measures share."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import torch
from torch import nn

from swapnas_ext.measures.blocks import Blocks
from swapnas_ext.measures.channels import Channels
from swapnas_ext.measures.channels_first import ChannelsFirst
from swapnas_ext.measures.pairs import Pairs
from swapnas_ext.measures.prepared_network import Arguments, PreparedNetwork
from swapnas_ext.measures.responses import Responses
from swapnas_ext.models import FlopCount

_NOISE = 0x5EED << 40
"""The stream of random numbers for noise, which differs from that for weights."""
_FUSED = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)


def on_noise(network: PreparedNetwork) -> tuple[Channels, Responses]:
    """Runs the network on standard normal noise, and each block once more: the channels of its layers, and the
    responses of its blocks to a small disturbance."""
    return _each_block_twice(network, draws=network.drew_random_numbers())


def _each_block_twice(network: PreparedNetwork, *, draws: bool) -> tuple[Channels, Responses]:
    generator = network.generator(_NOISE)
    channels_first = ChannelsFirst(network.model)
    channels = Channels(network.samples, network.ternary, channels_first)
    blocks = Blocks(network.model, generator, channels, channels_first, draws=draws)
    _run(network, channels, blocks, network.noise(generator))
    return channels, blocks.found


def on_pairs_of_noise(network: PreparedNetwork, pairs: int) -> tuple[Channels, Responses]:
    """Tells what `on_noise` tells, for less: in one run, with few samples, where the model takes images or sequences
    and treats samples alike. A model that fails with so few samples may run with all of them.

    Args:
        pairs: samples of noise.
    """
    draws = network.drew_random_numbers()
    generator = network.generator(_NOISE)
    arguments = None
    if not draws and not _has_generators(network.model):
        arguments = network.pairs_of_noise(generator, pairs)
    if arguments is not None:
        channels_first = ChannelsFirst(network.model)
        blocks = Pairs(network.model, generator, 2 * pairs, channels_first)
        channels = Channels(network.samples, network.ternary, channels_first, blocks)
        with suppress(Exception):  # NotPairs, or the model's own
            _run(network, channels, blocks, arguments)
            return channels, blocks.found
    return _each_block_twice(network, draws=draws)


def _has_generators(model: nn.Module) -> bool:
    """Whether a module has random numbers of its own, as an attribute."""
    # Here, since numpy imports its random numbers when they are used.
    kinds = {torch.Generator, np.random.Generator, np.random.RandomState, random.Random}
    return any(
        type(value) in kinds for module in model.modules() for value in vars(module).values()
    )


def _run(
    network: PreparedNetwork, channels: Channels, blocks: Blocks | Pairs, arguments: Arguments
) -> None:
    @contextmanager
    def hooks() -> Iterator[None]:
        with blocks.disturbed(), _unfused(network.model):
            yield

    network.run(channels, arguments, hooks=hooks)
    if blocks.ran > 1 and not blocks.found.gains:
        network.note("its blocks could not be disturbed: they take or return no fitting tensors")
    elif not blocks.found.gains:
        network.note(
            "it has fewer than two blocks (items of an nn.Sequential or nn.ModuleList that consist of modules "
            "themselves), and is scored without them: don't compare it with networks that have blocks"
        )


@contextmanager
def _unfused(model: nn.Module) -> Iterator[None]:
    """Runs the layers that torch would fuse in their parts, as the hooks that count operations do on the samples."""
    if any(isinstance(module, _FUSED) for module in model.modules()):
        with watching(FlopCount(), model):
            yield
    else:
        yield


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
