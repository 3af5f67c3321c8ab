"""Defines the operators of a forward pass in plain PyTorch: the tests compare every kernel with these functions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def batch_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    return F.batch_norm(x, None, None, weight, bias, True, 0.0, eps)


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride_h: int,
    stride_w: int,
    padding_h: int,
    padding_w: int,
    dilation_h: int,
    dilation_w: int,
    groups: int,
) -> Tensor:
    stride, padding, dilation = (
        (stride_h, stride_w),
        (padding_h, padding_w),
        (dilation_h, dilation_w),
    )
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
