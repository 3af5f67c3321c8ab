"""Counts patterns as the published code does, and compares counts."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def published_score(model: nn.Module, inputs: Tensor, kinds: tuple[type[nn.Module], ...]) -> int:
    """Distinct sign patterns of the outputs of all modules of some kinds, in the model's current mode."""
    outputs: list[Tensor] = []
    hooks = [
        module.register_forward_hook(
            lambda m, i, o: outputs.append(o.clone().view(len(inputs), -1))
        )
        for module in model.modules()
        if isinstance(module, kinds)
    ]
    with torch.no_grad():
        model(inputs)
    for hook in hooks:
        hook.remove()
    return torch.unique(torch.sign(torch.cat(outputs, dim=1)).T, dim=0).size(0)


def assert_same_patterns(counts: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Equal, except where rounding moves a neuron across its boundary."""
    assert len(counts) == len(expected)
    for count, wanted in zip(counts, expected, strict=True):
        assert abs(count - wanted) <= 1 + wanted // 1000, (counts, expected)
