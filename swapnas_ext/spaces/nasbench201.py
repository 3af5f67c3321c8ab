"""NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326): 15,625 cells of four nodes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from torch import nn

from swapnas_ext.spaces.base import Graph, SearchSpace
from swapnas_ext.spaces.nasbench201_cell import (
    EDGES,
    OPERATIONS,
    Cell,
    format_cell,
    parse,
    sums_of_cell,
)
from swapnas_ext.spaces.nasbench201_networks import Network

DATASETS = {"cifar10": (10, 32), "cifar100": (100, 32), "imagenet16-120": (120, 16)}


class NASBench201(SearchSpace):
    """The networks of NAS-Bench-201.

    Args:
        dataset: ``"cifar10"``, ``"cifar100"`` or ``"imagenet16-120"``: number of classes, image size.
        channels: C, of the first stage; the second has 2 C, the third 4 C.
        cells: N, cells in each stage.

    The 15,625 cells have 5,260 distinct forms in `canonical`. The literature's 6,466 come from comparing
    expressions. Those keep zeros and the grouping of sums, which splits 688 of the forms here. They do not
    distinguish one convolution used twice from two convolutions, which splits 430 of those forms here.
    """

    def __init__(self, dataset: str = "cifar10", *, channels: int = 16, cells: int = 5) -> None:
        if dataset not in DATASETS:
            raise ValueError(f"dataset must be one of {', '.join(DATASETS)}, got {dataset!r}")
        if channels < 1 or cells < 1:
            raise ValueError(f"channels and cells must be at least 1, got {channels} and {cells}")
        self.dataset = dataset
        self.channels = channels
        self.cells = cells
        self.classes, size = DATASETS[dataset]
        self.input_size = (3, size, size)

    def __len__(self) -> int:
        return int(len(OPERATIONS) ** len(EDGES))

    def __iter__(self) -> Iterator[str]:
        return (format_cell(cell) for cell in itertools.product(OPERATIONS, repeat=len(EDGES)))

    def parse(self, text: str) -> Cell:
        return parse(text)

    def format(self, parsed: Cell) -> str:
        return format_cell(parsed)

    def canonical(self, architecture: str) -> str:
        """The cell as the sums that it computes, such as ``a=nor_conv_3x3(x); a+x``.

        ``none`` removes a term. ``skip_connect`` is its input. An operation on zero is zero. Operations that
        do not reach the output are left out. The order of a sum does not matter. One convolution used twice
        differs from two convolutions. Cells of one form compute the same function of their live weights;
        their numbers of parameters may differ, since dead edges have parameters too.
        """
        return sums_of_cell(parse(architecture))

    def _build(self, architecture: str) -> nn.Module:
        return Network(parse(architecture), self.channels, self.cells, self.classes)

    def size(self, architecture: str) -> int:
        cell = parse(architecture)
        width, total = self.channels, (27 + 2) * self.channels  # the stem
        for stage in range(3):
            if stage > 0:
                total += width * 2 * width * (9 + 1) + 9 * (2 * width) ** 2 + 2 * 2 * (2 * width)
                width *= 2
            kernels = 9 * cell.count("nor_conv_3x3") + cell.count("nor_conv_1x1")
            convolutions = cell.count("nor_conv_3x3") + cell.count("nor_conv_1x1")
            total += self.cells * (kernels * width**2 + convolutions * 2 * width)
        return total + 2 * width + width * self.classes + self.classes

    def sample(self, rng: random.Random) -> str:
        return format_cell(tuple(rng.choice(OPERATIONS) for _ in EDGES))

    def mutate(self, architecture: str, rng: random.Random) -> str:
        cell = list(parse(architecture))
        edge = rng.randrange(len(cell))
        cell[edge] = rng.choice([op for op in OPERATIONS if op != cell[edge]])
        return format_cell(tuple(cell))

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        pairs = zip(parse(first), parse(second), strict=True)
        return format_cell(tuple(rng.choice(pair) for pair in pairs))

    def formats(self, architecture: str) -> dict[str, str]:
        cell = dict(zip(EDGES, parse(architecture), strict=True))
        nodes = [
            tuple((cell[source, node], source) for source in range(node)) for node in (1, 2, 3)
        ]
        return {"NAS-Bench-201, xautodl": architecture, "xautodl Structure": str(nodes)}

    def graphs(self, architecture: str) -> list[Graph]:
        edges = zip(EDGES, parse(architecture), strict=True)
        drawn = tuple((source, node, name) for (source, node), name in edges if name != "none")
        return [Graph("cell", ("in", "1", "2", "out"), drawn)]
