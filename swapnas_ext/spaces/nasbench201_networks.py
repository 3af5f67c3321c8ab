"""The networks of NAS-Bench-201: operations, cells, the skeleton of three stages."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from swapnas_ext.spaces.nasbench201_cell import EDGES, Cell
from swapnas_ext.spaces.part_copies import copied


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution, batch normalisation."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.ReLU(inplace=False),
            nn.Conv2d(
                channels_in, channels_out, kernel, stride=stride, padding=kernel // 2, bias=False
            ),
            nn.BatchNorm2d(channels_out),
        )


@copied
def _operation(name: str, channels: int) -> nn.Module:
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return ReLUConvBN(channels, channels, kernel=3 if name == "nor_conv_3x3" else 1)


def sum_edges(edges: nn.ModuleDict, x: Tensor, zeros: Callable[[Tensor], Tensor]) -> Tensor:
    """The output of a cell: the value of its last node.

    Args:
        edges: modules named ``0to1``, ``0to2``, ... after the nodes that they connect.
        zeros: makes the value of a node that no edge leads to, from ``x``.
    """
    nodes = [x]
    for node in (1, 2, 3):
        total: Tensor | None = None
        for source in range(node):
            edge = f"{source}to{node}"
            if edge in edges:
                y = edges[edge](nodes[source])
                total = y if total is None else total + y
        nodes.append(zeros(x) if total is None else total)
    return nodes[3]


class CellModule(nn.Module):
    """A cell: each node is the sum of the operations on the edges that lead to it."""

    def __init__(self, cell: Cell, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        for (source, node), operation in zip(EDGES, cell, strict=True):
            if operation != "none":
                self.edges[f"{source}to{node}"] = _operation(operation, channels)

    def forward(self, x: Tensor) -> Tensor:
        return sum_edges(self.edges, x, torch.zeros_like)


class Reduction(nn.Module):
    """The residual block between two stages, which halves the image."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ReLUConvBN(channels_in, channels_out, kernel=3, stride=2),
            ReLUConvBN(channels_out, channels_out, kernel=3),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2), nn.Conv2d(channels_in, channels_out, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.shortcut(x) + self.body(x)
        return y


_reduction = copied(Reduction)


class Network(nn.Module):
    """Stem, three stages of cells with a reduction before the second and third, linear classifier.

    ``[S, 3, H, W] -> logits [S, classes]``
    """

    def __init__(self, cell: Cell, channels: int, cells: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        stages: list[nn.Module] = []
        for stage in range(3):
            width = channels << stage
            if stage > 0:
                stages.append(_reduction(width // 2, width))
            stages += [CellModule(cell, width) for _ in range(cells)]
        self.cells = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(width, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.cells(self.stem(x)))
        return logits
