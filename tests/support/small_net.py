"""The network that most tests use."""

from __future__ import annotations

import torch
from torch import nn


class SmallNet(nn.Module):
    """Convolutions, batch normalisation, dropout and ReLUs, in place and not."""

    def __init__(self, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            activation(),
            nn.Dropout(0.5),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            activation(inplace=True) if activation is nn.ReLU else activation(),
        )
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean((2, 3)))
