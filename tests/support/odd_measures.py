"""A measure that can't read every network, and one that ranks unlike others."""

from __future__ import annotations

import math

from torch import nn

from swapnas_ext.measures import PreparedNetwork


def picky(network: PreparedNetwork) -> float:
    """The logarithm of the number of convolutions with 3x3 weights, which some cells have no more of than others."""
    kernels = [
        module
        for module in network.model.modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)
    ]
    if len(kernels) % 2 == 0:
        raise ValueError(f"{len(kernels)} kernels are an even number")
    return math.log(len(kernels))


def smallness(network: PreparedNetwork) -> float:
    """Higher for smaller networks."""
    return -math.log(network.parameters)
