"""Where the package's convolution is faster than torch's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from swapnas_ext import patterns

_MEASURED_ISAS = ("avx2", "avx512")
_SHORT_ROW = 12  # below, torch's planes of many channels at a time are faster
_FEW_PLANES = 1024
_MOST_POINTWISE_WEIGHTS = 128 * 128  # of a group
_MOST_CHANNEL_PAIRS = 24 * 24  # of a group, for 3 x 3
_MOST_PIXELS = 32 * 32


def pays(
    x: Sequence[int],
    weight: Sequence[int],
    stride_h: int,
    stride_w: int,
    padding_h: int,
    padding_w: int,
    dilation_h: int,
    dilation_w: int,
    groups: int,
) -> bool:
    """Whether to run a convolution of this shape by ``swapnas::convolve``.

    True for depthwise ones of 3 x 3 and 5 x 5, unless they have many small planes; for those of 1 x 1 up to 128
    channels; and for small ones of 3 x 3 up to 24 channels. Of groups, it's the channels of one that count.

    Measured beside ``F.conv2d`` for 249 shapes of 16 samples (maps of 4 x 4 to 112 x 112, 3 to 576 channels, one
    network or 32 as groups): AVX-512 with one and two threads, and AVX2 with one, oneDNN held to AVX2 as well. Where
    this is true, the package's kernel took 0.1 to 0.95 of torch's time, a third in the median. Elsewhere it was
    slower, no faster, or not measured, as on other instruction sets.

    Args:
        x: shape of the input, ``[N, C, H, W]``.
        weight: shape of the weight, ``[O, C / groups, kh, kw]``.
    """
    if not _is_measured_isa():
        return False
    samples, channels, height, width = x
    outputs, group_inputs, kernel_h, kernel_w = weight
    pairs = group_inputs * (outputs // groups)
    if kernel_h != kernel_w or max(stride_h, stride_w) > 2:
        return False
    if kernel_h == 1:
        return pairs <= _MOST_POINTWISE_WEIGHTS
    if group_inputs == 1 and kernel_h in (3, 5):
        return width >= _SHORT_ROW or samples * channels <= _FEW_PLANES
    return kernel_h == 3 and pairs <= _MOST_CHANNEL_PAIRS and height * width <= _MOST_PIXELS


@cache
def _is_measured_isa() -> bool:
    return patterns.build_info()["cpu_isa"] in _MEASURED_ISAS
