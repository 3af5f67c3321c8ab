"""The networks of the EfficientNet space: inverted residual blocks, squeeze-and-excitation, the stack.

The frame is that of EfficientNet-B0 (Tan and Le, ICML 2019, arXiv 1905.11946), which is one of these networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from swapnas_ext.spaces.mobilenet_networks import ConvBN
from swapnas_ext.spaces.part_copies import copied

FIRST_WIDTH, HEAD_WIDTH = 32, 1280
WIDTHS = (16, 24, 40, 80, 112, 192, 320)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Channels and stride of the seven stages."""


class Block(NamedTuple):
    """An inverted residual block: input channels, output channels, kernel, expansion, stride, and whether it has
    squeeze-and-excitation."""

    channels_in: int
    channels: int
    kernel: int
    expansion: int
    stride: int
    squeeze: bool


def squeezed_width(channels_in: int) -> int:
    """Channels inside the squeeze-and-excitation of a block: a quarter of those that go into the block."""
    return channels_in // 4


class SqueezeExcitation(nn.Module):
    """Scales each channel by a weight computed from the whole image (Hu et al., CVPR 2018, arXiv 1709.01507)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.SiLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x * self.weigh(x)
        return y


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, squeeze-and-excitation and projection, with a shortcut where the shapes
    agree. With an expansion of 1, there is no convolution that expands."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        channels_in, channels, kernel, expansion, stride, squeeze = block
        wide = channels_in * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(ConvBN(channels_in, wide, activation=nn.SiLU))
        layers.append(ConvBN(wide, wide, kernel, stride, groups=wide, activation=nn.SiLU))
        if squeeze:
            layers.append(SqueezeExcitation(wide, squeezed_width(channels_in)))
        layers.append(ConvBN(wide, channels))
        self.body = nn.Sequential(*layers)
        self.shortcut = stride == 1 and channels_in == channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.shortcut else y


_inverted_residual = copied(InvertedResidual)


class Network(nn.Module):
    """Stem, blocks, head: ``[S, 3, H, W] -> logits [S, classes]``."""

    def __init__(self, blocks: Sequence[Block], classes: int) -> None:
        super().__init__()
        self.stem = ConvBN(3, FIRST_WIDTH, 3, 2, activation=nn.SiLU)
        self.blocks = nn.Sequential(*map(_inverted_residual, blocks))
        self.head = nn.Sequential(
            ConvBN(blocks[-1].channels, HEAD_WIDTH, activation=nn.SiLU),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(HEAD_WIDTH, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.stem(x)))
        return logits
