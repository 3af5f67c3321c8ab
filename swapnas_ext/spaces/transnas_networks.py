"""The networks of the TransNAS-Bench-101 spaces: cells and residual blocks, in the skeleton that both
share (Duan et al., CVPR 2021, arXiv 2105.11871)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from swapnas_ext.spaces.nasbench201_cell import EDGES
from swapnas_ext.spaces.nasbench201_networks import ReLUConvBN, sum_edges
from swapnas_ext.spaces.part_copies import copied

NONE, SKIP = 0, 1
KERNELS = {2: 1, 3: 3}
"""Kernel sizes of the convolutions, by the codes of the operations."""
BLOCKS = 2  # cells or residual blocks in a module; the first changes channels and image


class Architecture(NamedTuple):
    """An architecture: base channels, the codes of the modules, and the codes of the cell's edges in the order of
    ``EDGES``. An empty cell stands for a residual block."""

    channels: int
    modules: tuple[int, ...]
    cell: tuple[int, ...]


def doubles(code: int) -> bool:
    """Whether a module doubles the channels."""
    return code in (2, 4)


def halves(code: int) -> bool:
    """Whether a module halves the image."""
    return code in (3, 4)


def blocks_of(architecture: Architecture) -> list[tuple[int, int, int]]:
    """Input channels, output channels and stride of each cell or residual block."""
    blocks = []
    channels = architecture.channels
    for code in architecture.modules:
        width = channels * (2 if doubles(code) else 1)
        blocks.append((channels, width, 2 if halves(code) else 1))
        blocks += [(width, width, 1)] * (BLOCKS - 1)
        channels = width
    return blocks


class FactorizedReduction(nn.Module):
    """A skip connection that changes channels or image. Half of its channels read the image shifted by a pixel,
    so that no pixel is lost."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=False)
        self.straight = nn.Conv2d(channels_in, channels // 2, 1, stride=stride, bias=False)
        self.shifted = nn.Conv2d(
            channels_in, channels - channels // 2, 1, stride=stride, bias=False
        )
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        y: Tensor = self.norm(torch.cat([self.straight(x), self.shifted(shifted)], 1))
        return y


@copied
def _operation(code: int, channels_in: int, channels: int, stride: int) -> nn.Module:
    if code != SKIP:
        return ReLUConvBN(channels_in, channels, kernel=KERNELS[code], stride=stride)
    if stride == 1 and channels_in == channels:
        return nn.Identity()
    return FactorizedReduction(channels_in, channels, stride)


class CellModule(nn.Module):
    """A cell: each node is the sum of the operations on the edges that lead to it. Operations on the cell's input
    change channels and image."""

    def __init__(self, cell: tuple[int, ...], channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride
        self.edges = nn.ModuleDict()
        for (source, node), code in zip(EDGES, cell, strict=True):
            if code != NONE:
                shape = (channels, channels, 1) if source else (channels_in, channels, stride)
                self.edges[f"{source}to{node}"] = _operation(code, *shape)

    def forward(self, x: Tensor) -> Tensor:
        return sum_edges(self.edges, x, self._zeros)

    def _zeros(self, x: Tensor) -> Tensor:
        one = torch.zeros_like(x[:, :1, :: self.stride, :: self.stride])
        return one.repeat(1, self.channels, 1, 1)


class ResidualBlock(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ReLUConvBN(channels_in, channels, kernel=3, stride=stride),
            ReLUConvBN(channels, channels, kernel=3),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.shortcut(x) + self.body(x)
        return y


_residual_block = copied(ResidualBlock)


class Network(nn.Module):
    """A stem that divides the image's sides by four, the blocks of the skeleton, linear classifier.

    ``[S, 3, H, W] -> logits [S, classes]``
    """

    def __init__(self, architecture: Architecture, classes: int) -> None:
        super().__init__()
        half, width = architecture.channels // 2, architecture.channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(half),
            ReLUConvBN(half, width, kernel=3, stride=2),
        )
        blocks: list[nn.Module] = []
        for channels_in, width, stride in blocks_of(architecture):
            if architecture.cell:
                blocks.append(CellModule(architecture.cell, channels_in, width, stride))
            else:
                blocks.append(_residual_block(channels_in, width, stride))
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.stem(x)))
        return logits
