"""NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326): 15,625 cells of four nodes.

A cell string names the operation of each of the six edges, grouped by the node that they lead to::

    |nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from swapnas_ext.spaces.base import ArchitectureError, Graph, SearchSpace
from swapnas_ext.spaces.uninitialized import copied

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = tuple((source, node) for node in (1, 2, 3) for source in range(node))
DATASETS = {"cifar10": (10, 32), "cifar100": (100, 32), "imagenet16-120": (120, 16)}

Cell = tuple[str, ...]
"""The operations of the six edges, in the order of ``EDGES``."""


class NASBench201(SearchSpace):
    """The networks of NAS-Bench-201.

    Args:
        dataset: ``"cifar10"``, ``"cifar100"`` or ``"imagenet16-120"``: number of classes, image size.
        channels: C, of the first stage; the second has 2 C, the third 4 C.
        cells: N, cells in each stage.

    `canonical` gives 5,260 distinct forms to the 15,625 cells. The literature's 6,466 come from
    comparing expressions: these keep zeros and the grouping of sums (688 of the forms here are split
    there), but don't tell one convolution used twice from two (430 of those are split here).
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
        return len(OPERATIONS) ** len(EDGES)

    def __iter__(self) -> Iterator[str]:
        return (format_cell(cell) for cell in itertools.product(OPERATIONS, repeat=len(EDGES)))

    def parse(self, text: str) -> Cell:
        return parse(text)

    def format(self, parsed: Cell) -> str:
        return format_cell(parsed)

    def canonical(self, architecture: str) -> str:
        """The cell as the sums that it computes, such as ``a=nor_conv_3x3(x); a+x``.

        ``none`` removes a term, ``skip_connect`` is its input, an operation on zero is zero, what does
        not reach the output is left out, and the order of a sum does not matter. A convolution used
        twice is told from two convolutions. Cells of one form compute the same function of their live
        weights; their numbers of parameters may differ, since dead edges have some too.
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


def parse(text: str) -> Cell:
    """The operations of a cell string. Raises `ArchitectureError` that points at the mistake."""
    position = 0

    def expect(token: str, what: str) -> None:
        nonlocal position
        if not text.startswith(token, position):
            found = repr(text[position]) if position < len(text) else "the end"
            raise ArchitectureError(text, position, f"expected {what}, found {found}")
        position += len(token)

    cell = []
    for node in (1, 2, 3):
        if node > 1:
            expect("+", "'+' before the next node")
        expect("|", "'|'")
        for source in range(node):
            end = text.find("~", position)
            operation = text[position : end if end >= 0 else len(text)]
            if operation not in OPERATIONS:
                shown = operation if len(operation) <= 20 else operation[:20] + "..."
                raise ArchitectureError(
                    text,
                    position,
                    f"unknown operation {shown!r}; known: {', '.join(OPERATIONS)}",
                )
            position += len(operation)
            expect(f"~{source}|", f"'~{source}|' after the operation")
            cell.append(operation)
    if position != len(text):
        raise ArchitectureError(text, position, "expected the end of the cell")
    return tuple(cell)


def format_cell(cell: Cell) -> str:
    """The string of a cell; `parse` reads it back."""
    edges = [f"{operation}~{source}" for (source, _), operation in zip(EDGES, cell, strict=True)]
    return "+".join(f"|{'|'.join(part)}|" for part in (edges[:1], edges[1:3], edges[3:]))


# ---- isomorphism ---------------------------------------------------------------------------------

Sum = tuple[int, ...]
"""A sum of values, sorted: 0 is the cell's input, k the k-th operation. Empty is zero."""


def sums_of_cell(cell: Cell) -> str:
    """The canonical form, see `NASBench201.canonical`; other names of operations are kept as they are."""
    operations: list[tuple[str, Sum]] = [("x", ())]
    nodes: list[Sum] = [(0,)]
    for node in (1, 2, 3):
        total: list[int] = []
        for (source, target), name in zip(EDGES, cell, strict=True):
            if target != node or name == "none" or not nodes[source]:
                continue
            if name == "skip_connect":
                total += nodes[source]
                continue
            operation = (name, nodes[source])
            if name != "avg_pool_3x3" or operation not in operations:  # pools have no weights
                operations.append(operation)
                total.append(len(operations) - 1)
            else:
                total.append(operations.index(operation))
        nodes.append(tuple(sorted(total)))
    live = _reaching(nodes[3], operations)
    # Name the operations in every order that puts their inputs first; the least text is the form.
    orders = (o for o in itertools.permutations(live) if _inputs_first(o, operations))
    return min(_text(order, operations, nodes[3]) for order in orders)


def _reaching(output: Sum, operations: list[tuple[str, Sum]]) -> list[int]:
    live: set[int] = set()
    pending = [k for k in output if k]
    while pending:
        k = pending.pop()
        if k not in live:
            live.add(k)
            pending += [source for source in operations[k][1] if source]
    return sorted(live)


def _inputs_first(order: tuple[int, ...], operations: list[tuple[str, Sum]]) -> bool:
    place = {k: i for i, k in enumerate((0, *order))}
    return all(place[source] < place[k] for k in order for source in operations[k][1])


def _text(order: tuple[int, ...], operations: list[tuple[str, Sum]], output: Sum) -> str:
    names = {0: "x"} | {k: chr(ord("a") + i) for i, k in enumerate(order)}

    def total(values: Sum) -> str:
        return "+".join(sorted(names[k] for k in values)) or "0"

    steps = [f"{names[k]}={operations[k][0]}({total(operations[k][1])})" for k in order]
    return "; ".join([*steps, total(output)])


# ---- the networks --------------------------------------------------------------------------------


class ReLUConvBN(nn.Sequential):
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
    """The last node of a cell, whose edges ``0to1``, ``0to2``, ... lead from node to node; ``zeros(x)``
    where nothing leads to one."""
    nodes = [x]
    for node in (1, 2, 3):
        total = None
        for source in range(node):
            edge = f"{source}to{node}"
            if edge in edges:
                y = edges[edge](nodes[source])
                total = y if total is None else total + y
        nodes.append(zeros(x) if total is None else total)
    return nodes[3]


class CellModule(nn.Module):
    """Sums, at each node, the operations on the edges that lead there."""

    def __init__(self, cell: Cell, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        for (source, node), operation in zip(EDGES, cell, strict=True):
            if operation != "none":
                self.edges[f"{source}to{node}"] = _operation(operation, channels)

    def forward(self, x: Tensor) -> Tensor:
        return sum_edges(self.edges, x, torch.zeros_like)


class Reduction(nn.Module):
    """The residual block that halves the image between two stages."""

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
        return self.shortcut(x) + self.body(x)


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
        return self.head(self.cells(self.stem(x)))
