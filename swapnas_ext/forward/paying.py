"""Where the package's convolution is faster than torch's."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_CHANNELS = 64  # of a group


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
    """Whether to run a convolution of this shape by ``swapnas::convolve``: a depthwise one, or one of 1 x 1 between few
    channels.

    Args:
        x: shape of the input, ``[N, C, H, W]``.
        weight: shape of the weight, ``[O, C / groups, kh, kw]``.
    """
    _, channels, kernel_h, kernel_w = weight
    return channels == 1 or (kernel_h == kernel_w == 1 and channels <= _MOST_CHANNELS)
