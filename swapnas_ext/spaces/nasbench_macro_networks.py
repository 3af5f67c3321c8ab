"""The networks of NAS-Bench-Macro (Su et al., CVPR 2021, arXiv 2103.11922): identities and inverted residual blocks
of MobileNetV2 (Sandler et al., CVPR 2018, arXiv 1801.04381), the stack."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor, nn

from swapnas_ext.spaces.mobilenet_networks import ConvBN, InvertedResidual, Stage
from swapnas_ext.spaces.part_copies import copied

FIRST_WIDTH, HEAD_WIDTH = 32, 1280
IDENTITY = "0"
RESIDUALS = {"1": (3, 3), "2": (5, 6)}
"""Kernel and expansion of the inverted residual blocks, by their digits."""


class Layer(NamedTuple):
    """The shape of a layer: input channels, output channels and stride."""

    channels_in: int
    channels: int
    stride: int

    @property
    def keeps_shape(self) -> bool:
        return self.stride == 1 and self.channels_in == self.channels


LAYERS = (
    Layer(32, 64, 2),
    Layer(64, 64, 1),
    Layer(64, 128, 2),
    Layer(128, 128, 1),
    Layer(128, 128, 1),
    Layer(128, 256, 2),
    Layer(256, 256, 1),
    Layer(256, 256, 1),
)


@copied
def _layer(digit: str, shape: Layer) -> nn.Module:
    if digit in RESIDUALS:
        stage = Stage(shape.channels, shape.stride, nn.ReLU6, squeeze=False)
        return InvertedResidual(shape.channels_in, shape.channels, *RESIDUALS[digit], stage)
    if shape.keeps_shape:
        return nn.Identity()
    return ConvBN(shape.channels_in, shape.channels, stride=shape.stride)


class Network(nn.Module):
    """Stem, eight layers, head: ``[S, 3, H, W] -> logits [S, classes]``.

    Args:
        digits: of the eight layers.
    """

    def __init__(self, digits: Iterable[str], classes: int) -> None:
        super().__init__()
        self.stem = ConvBN(3, FIRST_WIDTH, 3, activation=nn.ReLU6)
        self.layers = nn.Sequential(*map(_layer, digits, LAYERS))
        self.head = nn.Sequential(
            ConvBN(LAYERS[-1].channels, HEAD_WIDTH, activation=nn.ReLU6),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(HEAD_WIDTH, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers(self.stem(x)))
        return logits
