"""A network of residual blocks, and its composite score."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import swapnas_ext as swap

IMAGES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(3))
SEED = 5


class Residual(nn.Module):
    def __init__(self, channels: int, wider: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, wider, 3, stride, 1), nn.BatchNorm2d(wider)
        )
        self.shortcut = nn.Conv2d(channels, wider, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)


class Net(nn.Module):
    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)))


def composite(model: nn.Module, **options: Any) -> Any:
    options = {"init": "kaiming", "seed": SEED, **options}
    return swap.score(model, IMAGES, measure="composite", **options)
