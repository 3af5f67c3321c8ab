"""Defines the operators of a forward pass in plain PyTorch: the tests compare every kernel with these functions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def batch_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    return F.batch_norm(x, None, None, weight, bias, True, 0.0, eps)


def batch_norm_relu_insert(
    table: Tensor,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    samples: int,
    ternary: bool,
) -> Tensor:
    y = torch.relu(batch_norm(x, weight, bias, eps))
    groups = len(table)
    by_group = y.unflatten(1, (groups, -1)).movedim(1, 0) if groups > 1 else y
    torch.ops.swapnas.insert_(table, by_group, samples, ternary)
    return y


def avg_pool2d(
    x: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    padding_h: int,
    padding_w: int,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Tensor:
    return F.avg_pool2d(
        x,
        (kernel_h, kernel_w),
        (stride_h, stride_w),
        (padding_h, padding_w),
        ceil_mode,
        count_include_pad,
    )


def max_pool2d(
    x: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    padding_h: int,
    padding_w: int,
    dilation_h: int,
    dilation_w: int,
    ceil_mode: bool,
) -> Tensor:
    return F.max_pool2d(
        x,
        (kernel_h, kernel_w),
        (stride_h, stride_w),
        (padding_h, padding_w),
        (dilation_h, dilation_w),
        ceil_mode,
    )


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
