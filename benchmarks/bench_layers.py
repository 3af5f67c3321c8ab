"""Layers of a scored network, by the package's kernels and by torch's, beside a copy of as many bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from interleaved import medians_of_interleaved
from torch import nn

import swapnas_ext as swap
from swapnas_ext.forward import fast_layers

swap.keep_freed_memory()

REPLICATES = 16
"""Of 6 channels at once, which are further channels: so torch.func.vmap runs a network's repeats."""


def depthwise(channels: int, kernel: int, dilation: int = 1) -> nn.Module:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(
        channels,
        channels,
        kernel,
        padding=padding,
        dilation=dilation,
        groups=channels,
        bias=False,
    )


def pointwise(channels_in: int, channels_out: int, groups: int = 1) -> nn.Module:
    return nn.Conv2d(channels_in, channels_out, 1, groups=groups, bias=False)


def average_pool() -> nn.Module:
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


def maximum_pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=1, padding=1)


ONE, MANY = (16, 16, 32, 32), (16, 6 * REPLICATES, 32, 32)
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "batch normalisation": (partial(nn.BatchNorm2d, 16), ONE),
    "batch normalisation, 64 channels": (partial(nn.BatchNorm2d, 64), (16, 64, 8, 8)),
    "average pool 3x3": (average_pool, ONE),
    "maximum pool 3x3": (maximum_pool, ONE),
    "depthwise convolution 3x3": (partial(depthwise, 16, 3), ONE),
    "depthwise convolution 5x5": (partial(depthwise, 16, 5), ONE),
    "convolution 1x1": (partial(pointwise, 16, 16), ONE),
    "batch normalisation, 16 repeats": (partial(nn.BatchNorm2d, 6 * REPLICATES), MANY),
    "average pool 3x3, 16 repeats": (average_pool, MANY),
    "maximum pool 3x3, 16 repeats": (maximum_pool, MANY),
    "depthwise convolution 3x3, 16 repeats": (partial(depthwise, 6 * REPLICATES, 3), MANY),
    "dilated depthwise convolution 5x5, 16 repeats": (
        partial(depthwise, 6 * REPLICATES, 5, 2),
        MANY,
    ),
    "convolution 1x1, 16 repeats": (
        partial(pointwise, 6 * REPLICATES, 6 * REPLICATES, REPLICATES),
        MANY,
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(rows: list[dict[str, Any]], benchmark: Any, name: str) -> None:
    """One thread, as in the workers of a search."""
    make, shape = LAYERS[name]
    torch.manual_seed(0)
    layer, x = make(), torch.randn(shape)
    if isinstance(layer, nn.BatchNorm2d):
        layer.track_running_stats = False
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad(), fast_layers([layer]):
            ours = layer.forward
            theirs = type(layer).forward
            y = layer(x)
            torch.testing.assert_close(y, theirs(layer, x), rtol=1e-4, atol=1e-5)
            works = {
                "ours": lambda: ours(x),
                "torch": lambda: theirs(layer, x),
                "copy": lambda: x.clone(),
            }
            medians = medians_of_interleaved(works, rounds=201)
            benchmark.pedantic(works["ours"], rounds=3)
    finally:
        torch.set_num_threads(threads)
    ratio = medians["torch"] / medians["ours"]
    of_copy = medians["ours"] / medians["copy"]
    print(
        f"\n{name}: {1e6 * medians['ours']:.0f} us, torch {1e6 * medians['torch']:.0f} us "
        f"({ratio:.1f}x), copy {1e6 * medians['copy']:.0f} us ({of_copy:.1f}x)"
    )
    rows.append(
        {
            "work": name,
            "shape": list(shape),
            "bytes": 4 * (math.prod(shape) + y.numel()),
            "medians_us": {key: 1e6 * median for key, median in medians.items()},
            "ratio": ratio,
            "bound": ">= 1",
            "kept": ratio >= 1,
        }
    )
