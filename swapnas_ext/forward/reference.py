"""Defines the operators of a forward pass in plain PyTorch: the tests compare every kernel with these functions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def batch_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    return F.batch_norm(x, None, None, weight, bias, True, 0.0, eps)
