"""The networks of NAS-Bench-101: operations, cells, stacks of cells."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from swapnas_ext.spaces.nasbench101_cell import KERNELS, Cell, vertex_channels
from swapnas_ext.spaces.part_copies import copied


class ConvBNReLU(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(channels_out, eps=1e-5, momentum=0.003),
            nn.ReLU(),
        )


_conv_bn_relu = copied(ConvBNReLU)


@copied
def _operation(name: str, channels: int) -> nn.Module:
    if name == "maxpool3x3":
        return nn.MaxPool2d(3, stride=1, padding=1)
    return ConvBNReLU(channels, channels, KERNELS[name])


class CellModule(nn.Module):
    """A pruned cell.

    A vertex gets the sum of the values that feed it: the cell's input, projected to the vertex's channels, and
    other vertices, cut to these channels. The output concatenates the vertices that feed it. If the input
    feeds it too, the projected input is added.
    """

    def __init__(self, cell: Cell, channels_in: int, channels: int) -> None:
        super().__init__()
        self.last = len(cell.operations) - 1
        self.widths = vertex_channels(cell.matrix, channels)
        self.sources = [
            [i for i in range(1, self.last) if cell.matrix[i][v]] for v in range(self.last + 1)
        ]
        self.projections = nn.ModuleDict(
            {
                str(v): _conv_bn_relu(channels_in, self.widths[v], kernel=1)
                for v in range(1, self.last + 1)
                if cell.matrix[0][v]
            }
        )
        self.vertices = nn.ModuleDict(
            {str(v): _operation(cell.operations[v], self.widths[v]) for v in range(1, self.last)}
        )

    def forward(self, x: Tensor) -> Tensor:
        values: dict[int, Tensor] = {}
        for v in range(1, self.last):
            terms = [values[i][:, : self.widths[v]] for i in self.sources[v]]
            values[v] = self.vertices[str(v)](self._sum(x, v, terms))
        feeding = [values[i] for i in self.sources[self.last]]
        return self._sum(x, self.last, [torch.cat(feeding, 1)] if feeding else [])

    def _sum(self, x: Tensor, vertex: int, terms: list[Tensor]) -> Tensor:
        """The sum of the terms, and of the projected input where it feeds the vertex."""
        if str(vertex) in self.projections:
            terms = [*terms, self.projections[str(vertex)](x)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total


class Network(nn.Module):
    """Stem, stacks of cells with a max pooling between them, linear classifier.

    ``[S, 3, H, W] -> logits [S, classes]``
    """

    def __init__(self, cell: Cell, widths: list[int], cells: int, classes: int) -> None:
        super().__init__()
        self.stem = ConvBNReLU(3, widths[0], kernel=3)
        modules: list[nn.Module] = []
        channels = widths[0]
        for stack, width in enumerate(widths):
            if stack > 0:
                modules.append(nn.MaxPool2d(2, stride=2))
            for _ in range(cells):
                modules.append(CellModule(cell, channels, width))
                channels = width
        self.cells = nn.Sequential(*modules)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.cells(self.stem(x)))
        return logits
