"""Parts of the members of the zoo."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

VECTORS = torch.randn(12, 8, generator=torch.Generator().manual_seed(1))
IMAGES = torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(2))

ZOO: dict[str, Callable[[], nn.Module]] = {}


def member(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    ZOO[make.__name__] = make
    return make


class Base(nn.Module):
    """Two layers; members override `between`, which runs between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 24), nn.Linear(24, 24)
        self.prepare()

    def prepare(self) -> None: ...

    def between(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(self.between(torch.relu(self.first(x)))))


def images_net(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), *layers, nn.Conv2d(6, 6, 3), nn.ReLU())
