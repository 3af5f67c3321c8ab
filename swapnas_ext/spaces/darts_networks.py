"""The networks of the DARTS space: its operations, cells, stems, and the stack of cells.

Layers, their order and their strides are those of the published evaluation networks (Liu et al., ICLR
2019, arXiv 1806.09055).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from swapnas_ext.spaces.part_copies import copied


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution, batch normalisation."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int = 1, stride: int = 1
    ) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(
                channels_in, channels_out, kernel, stride=stride, padding=kernel // 2, bias=False
            ),
            nn.BatchNorm2d(channels_out),
        )


class DepthwiseSeparable(nn.Sequential):
    """ReLU, depthwise convolution, pointwise convolution, batch normalisation, repeated ``repeats`` times. Only the
    first has the stride."""

    def __init__(
        self, channels: int, kernel: int, stride: int, *, dilation: int, repeats: int
    ) -> None:
        layers: list[nn.Module] = []
        padding = dilation * (kernel // 2)
        for repeat in range(repeats):
            layers += [
                nn.ReLU(),
                nn.Conv2d(
                    channels,
                    channels,
                    kernel,
                    stride=stride if repeat == 0 else 1,
                    padding=padding,
                    dilation=dilation,
                    groups=channels,
                    bias=False,
                ),
                nn.Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            ]
        super().__init__(*layers)


class Zero(nn.Module):
    """Zeros of the shape that an operation with the same stride has."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


class FactorizedReduce(nn.Module):
    """Halves the image with two convolutions side by side, of the even and of the odd pixels."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(channels_in, channels_out // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels_in, channels_out - channels_out // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        y: Tensor = self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], dim=1))
        return y


OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)


@copied
def operation(name: str, channels: int, stride: int) -> nn.Module:
    if name == "none":
        return Zero(stride)
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride=stride, padding=1)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False)
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    kind, _, size = name.rpartition("_")
    kernel = int(size[0])
    if kind == "sep_conv":
        return DepthwiseSeparable(channels, kernel, stride, dilation=1, repeats=2)
    return DepthwiseSeparable(channels, kernel, stride, dilation=2, repeats=1)


_relu_conv_bn = copied(ReLUConvBN)
_factorized_reduce = copied(FactorizedReduce)


class CellModule(nn.Module):
    """A cell: two inputs, nodes that add two operations each, and the concatenation of some nodes."""

    def __init__(
        self,
        edges: Sequence[tuple[str, int]],
        concat: Sequence[int],
        widths: tuple[int, int],
        channels: int,
        *,
        reduction: bool,
        reduced_before: bool,
    ) -> None:
        super().__init__()
        before, last = widths
        self.preprocess0 = (
            _factorized_reduce(before, channels)
            if reduced_before
            else _relu_conv_bn(before, channels)
        )
        self.preprocess1 = _relu_conv_bn(last, channels)
        self.sources = [source for _, source in edges]
        self.concat = list(concat)
        self.operations = nn.ModuleList(
            operation(name, channels, 2 if reduction and source < 2 else 1)
            for name, source in edges
        )

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        states = [self.preprocess0(before), self.preprocess1(last)]
        edges = list(zip(self.operations, self.sources, strict=True))
        for (first, i), (second, j) in zip(edges[::2], edges[1::2], strict=True):
            states.append(first(states[i]) + second(states[j]))
        return torch.cat([states[node] for node in self.concat], dim=1)


def stem(channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))


class ImageNetStem(nn.Module):
    """Two inputs for the first cell: the image at a quarter and at an eighth of its sides."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.quarter = nn.Sequential(
            nn.Conv2d(3, channels // 2, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels // 2),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.eighth = nn.Sequential(
            nn.ReLU(inplace=False),
            nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        quarter = self.quarter(x)
        return quarter, self.eighth(quarter)


class CellNetwork(nn.Module):
    """Stem, cells, average over the image, linear classifier: ``[S, 3, H, W] -> [S, classes]``.

    Args:
        root: the stem; returns one tensor, or the two inputs of the first cell.
        widths: channels of these two inputs.
        cells: (edges, concatenated nodes) of the normal cell, and of the reduction cell.
        channels: C of the first cell; doubled at each reduction.
        reductions: for each layer, whether it is a reduction cell.
        reduced_inputs: whether the root's second output has half the size of its first.
    """

    def __init__(
        self,
        root: nn.Module,
        widths: tuple[int, int],
        cells: Sequence[tuple[Sequence[tuple[str, int]], Sequence[int]]],
        *,
        channels: int,
        reductions: Sequence[bool],
        reduced_inputs: bool,
        classes: int,
    ) -> None:
        super().__init__()
        self.stem = root
        self.cells = nn.ModuleList()
        reduced_before = reduced_inputs
        for reduction in reductions:
            edges, concat = cells[reduction]
            if reduction:
                channels *= 2
            self.cells.append(
                CellModule(
                    edges,
                    concat,
                    widths,
                    channels,
                    reduction=reduction,
                    reduced_before=reduced_before,
                )
            )
            reduced_before = reduction
            widths = (widths[1], len(concat) * channels)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(widths[1], classes)

    def forward(self, x: Tensor) -> Tensor:
        root = self.stem(x)
        before, last = root if isinstance(root, tuple) else (root, root)
        for cell in self.cells:
            before, last = last, cell(before, last)
        logits: Tensor = self.classifier(self.pool(last).flatten(1))
        return logits
