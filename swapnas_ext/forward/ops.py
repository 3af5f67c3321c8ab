"""The torch operators of a forward pass: their schemas, and their shapes for tracing.

All are for float32 on the CPU, contiguous, without autograd. Each returns what torch's own operator returns, up to
rounding; `reference` says which.

* ``batch_norm(x, weight, bias, eps) -> y``: with the statistics of the mini-batch; x is ``[N, C, ...]``.
* ``batch_norm_relu_insert(table, x, weight, bias, eps, samples, ternary) -> y``: relu of it, and adds the patterns of y
  to a table of R groups. x is ``[N, R * C, ...]``: group r has the channels from r * C on. N is a multiple of samples.
* ``avg_pool2d(x, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, ceil_mode, count_include_pad) -> y``
  and ``max_pool2d(x, kernel_h, ..., padding_w, dilation_h, dilation_w, ceil_mode) -> y``: x is ``[N, C, H, W]``.
* ``convolve(x, weight, bias, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups) -> y``: x is
  ``[N, C, H, W]``, weight ``[O, C / groups, kh, kw]``, bias ``[O]`` or None.

A kernel that refuses its arguments raises RuntimeError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import swapnas_ext.patterns  # noqa: F401 # defines the other operators, and loads the kernels
from swapnas_ext.forward import reference

SCHEMAS = (
    "batch_norm(Tensor x, Tensor? weight, Tensor? bias, float eps) -> Tensor",
    "batch_norm_relu_insert(Tensor(a!) table, Tensor x, Tensor? weight, Tensor? bias, float eps, int samples, "
    "bool ternary) -> Tensor",
    "avg_pool2d(Tensor x, int kernel_h, int kernel_w, int stride_h, int stride_w, int padding_h, int padding_w, "
    "bool ceil_mode, bool count_include_pad) -> Tensor",
    "max_pool2d(Tensor x, int kernel_h, int kernel_w, int stride_h, int stride_w, int padding_h, int padding_w, "
    "int dilation_h, int dilation_w, bool ceil_mode) -> Tensor",
    "convolve(Tensor x, Tensor weight, Tensor? bias, int stride_h, int stride_w, int padding_h, int padding_w, "
    "int dilation_h, int dilation_w, int groups) -> Tensor",
)
_library: Any = torch.library.Library("swapnas", "FRAGMENT")  # type: ignore[no-untyped-call] # torch has no types
for _schema in SCHEMAS:
    _library.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))


def _fake_batch_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    return torch.empty_like(x)


def _fake_batch_norm_relu_insert(
    table: Tensor,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    samples: int,
    ternary: bool,
) -> Tensor:
    return torch.empty_like(x)


def _fake_convolve(
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
    height = (x.shape[2] + 2 * padding_h - dilation_h * (weight.shape[2] - 1) - 1) // stride_h + 1
    width = (x.shape[3] + 2 * padding_w - dilation_w * (weight.shape[3] - 1) - 1) // stride_w + 1
    return x.new_empty(x.shape[0], weight.shape[0], height, width)


_FAKES: dict[str, Callable[..., Any]] = {
    "batch_norm": _fake_batch_norm,
    "batch_norm_relu_insert": _fake_batch_norm_relu_insert,
    "avg_pool2d": reference.avg_pool2d,  # their shapes, too, are torch's
    "max_pool2d": reference.max_pool2d,
    "convolve": _fake_convolve,
}
for _name, _fake in _FAKES.items():
    torch.library.register_fake(f"swapnas::{_name}", _fake, lib=_library)
