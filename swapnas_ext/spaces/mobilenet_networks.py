"""The networks of the MobileNet space: inverted residual blocks, squeeze-and-excitation, the stack.

Layers and their order are those of MobileNetV3 (Howard et al., ICCV 2019, arXiv 1905.02244), whose large
network this builds too, with its own expansions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from swapnas_ext.spaces.part_copies import copied

DIVISOR = 8
FIRST_WIDTH = 16
FINAL_WIDTH, HEAD_WIDTH = 960, 1280


class Stage(NamedTuple):
    """The fixed properties of a stage: channels at width 1, stride of the first block, activation, and whether blocks
    have squeeze-and-excitation."""

    width: int
    stride: int
    activation: type[nn.Module]
    squeeze: bool


STAGES = (
    Stage(24, 2, nn.ReLU, False),
    Stage(40, 2, nn.ReLU, True),
    Stage(80, 2, nn.Hardswish, False),
    Stage(112, 1, nn.Hardswish, True),
    Stage(160, 2, nn.Hardswish, True),
)


def divisible(channels: float) -> int:
    """The nearest multiple of eight that is not more than a tenth below."""
    rounded = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded + DIVISOR if rounded < 0.9 * channels else rounded


def expanded_width(channels: int, expansion: float) -> int:
    return divisible(round(channels * expansion))


def squeezed_width(channels: int) -> int:
    return divisible(channels // 4)


class ConvBN(nn.Sequential):
    """Convolution, batch normalisation, and an activation, if any."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        activation: type[nn.Module] | None = None,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(
                channels_in,
                channels_out,
                kernel,
                stride=stride,
                padding=kernel // 2,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(channels_out),
        ]
        super().__init__(*layers, *([activation()] if activation else []))


class SqueezeExcitation(nn.Module):
    """Scales each channel by a weight computed from the whole image (Hu et al., CVPR 2018, arXiv 1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = squeezed_width(channels)
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x * self.weigh(x)
        return y


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and projection, with a shortcut where the shapes agree."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, expansion: float, stage: Stage
    ) -> None:
        super().__init__()
        wide = expanded_width(channels_in, expansion)
        activation = stage.activation
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(ConvBN(channels_in, wide, activation=activation))
        layers.append(ConvBN(wide, wide, kernel, stage.stride, groups=wide, activation=activation))
        if stage.squeeze:
            layers.append(SqueezeExcitation(wide))
        layers.append(ConvBN(wide, channels_out))
        self.body = nn.Sequential(*layers)
        self.shortcut = stage.stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.shortcut else y


_inverted_residual = copied(InvertedResidual)


class MobileNetV3(nn.Module):
    """Stem, a fixed block, five stages, head: ``[S, 3, H, W] -> logits [S, classes]``.

    Args:
        width: multiplies all channels, which are then rounded to multiples of eight.
        stages: kernel and expansion of each block of each of the five stages.
    """

    def __init__(
        self, width: float, stages: Sequence[Sequence[tuple[int, float]]], classes: int
    ) -> None:
        super().__init__()
        channels = divisible(FIRST_WIDTH * width)
        first = Stage(FIRST_WIDTH, 1, nn.ReLU, False)
        self.stem = nn.Sequential(
            ConvBN(3, channels, 3, 2, activation=nn.Hardswish),
            InvertedResidual(channels, channels, 3, 1, first),
        )
        blocks: list[nn.Module] = []
        for stage, choices in zip(STAGES, stages, strict=True):
            channels_out = divisible(stage.width * width)
            for place, (kernel, expansion) in enumerate(choices):
                kind = stage if place == 0 else stage._replace(stride=1)
                blocks.append(_inverted_residual(channels, channels_out, kernel, expansion, kind))
                channels = channels_out
        self.blocks = nn.Sequential(*blocks)
        final, head = divisible(FINAL_WIDTH * width), divisible(HEAD_WIDTH * width)
        self.head = nn.Sequential(
            ConvBN(channels, final, activation=nn.Hardswish),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(final, head, 1, bias=False),
            nn.Hardswish(),
            nn.Flatten(),
            nn.Linear(head, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.stem(x)))
        return logits
