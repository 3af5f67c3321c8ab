"""The published way to a SWAP-Score: keep every activation, cat, sign, ``torch.unique``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def published_count(activations: list[Tensor], samples: int) -> int:
    rows = torch.cat([x.view(samples, -1) for x in activations], dim=1)
    return torch.unique(torch.sign(rows).T, dim=0).size(0)


def published_init(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


def published_way(build: Callable[[], nn.Module], inputs: Tensor, repeats: int) -> list[int]:
    """One repeat after another: initialise, run, keep every activation, cat, sign, unique."""
    model, kept, counts = build(), [], []
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda m, i, o: kept.append(o.detach()))
    for repeat in range(repeats):
        torch.manual_seed(repeat)
        model.apply(published_init)
        with torch.no_grad():
            model(inputs)
        counts.append(published_count(kept, len(inputs)))
        kept.clear()
    return counts
