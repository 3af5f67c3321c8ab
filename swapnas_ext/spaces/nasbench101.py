"""NAS-Bench-101 (Ying et al., ICML 2019, arXiv 1902.09635): cells of at most 7 vertices and 9 edges.

A cell is written as its adjacency matrix, row by row, and the operations of its vertices::

    0111010000000100000010000100000000100000010000000:input,conv1x1-bn-relu,conv3x3-bn-relu,...,output

Vertices that are on no path from the input to the output are removed before a network is built; the
limit of nine edges is on what remains. Tables that keep the matrix as a number lose its leading zeros,
which `NASBench101.from_entry` brings back.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import nn

from swapnas_ext.spaces.base import Graph, SearchSpace
from swapnas_ext.spaces.nasbench101_cell import (
    INPUT,
    KERNELS,
    MAX_VERTICES,
    OPERATIONS,
    OUTPUT,
    Cell,
    Matrix,
    canonical_text,
    edges_of,
    format_cell,
    is_valid,
    parse,
    prune,
    vertex_channels,
)
from swapnas_ext.spaces.nasbench101_networks import Network

_MAX_STACKS = 6  # an image of 32 pixels is halved five times
_MIN_CHANNELS = 4  # the output concatenates up to four vertices; each needs a channel
_TRIES = 100


class NASBench101(SearchSpace):
    """The networks of NAS-Bench-101, for CIFAR-10.

    Args:
        channels: of the stem and the first stack; each stack has twice those of the one before.
        stacks: with a max pooling that halves the image before each but the first.
        cells: in each stack.
        classes: number of outputs.

    All cells have 423,624 distinct forms in `canonical`, as published.
    """

    def __init__(
        self, *, channels: int = 128, stacks: int = 3, cells: int = 3, classes: int = 10
    ) -> None:
        if channels < _MIN_CHANNELS:
            raise ValueError(
                f"channels must be at least {_MIN_CHANNELS}, for the vertices that the output "
                f"concatenates, got {channels}"
            )
        if cells < 1 or classes < 1:
            raise ValueError(f"cells and classes must be at least 1, got {cells} and {classes}")
        if not 1 <= stacks <= _MAX_STACKS:
            raise ValueError(
                f"stacks must be from 1 to {_MAX_STACKS}, since each halves the 32 pixels, got {stacks}"
            )
        self.channels = channels
        self.stacks = stacks
        self.cells = cells
        self.classes = classes
        self.input_size = (3, 32, 32)

    def parse(self, text: str) -> Cell:
        return parse(text)

    def format(self, parsed: Cell) -> str:
        return format_cell(parsed)

    def from_entry(self, entry: Mapping[str, Any]) -> str | None:
        """The architecture of a row with the columns ``adjacency49`` and ``ops``."""
        matrix, operations = entry.get("adjacency49"), entry.get("ops")
        if matrix is None or operations is None:
            return None
        return f"{str(matrix).zfill(MAX_VERTICES**2)}:{operations}"

    def canonical(self, architecture: str) -> str:
        """The string of the pruned cell, with its vertices in an order that is the same for all isomorphic
        cells.

        As in the benchmark, isomorphic cells are one architecture. Their networks may differ by single
        channels: where the channels do not divide evenly among the vertices that feed the output, the
        order in the cell decides which vertices get one more.
        """
        return canonical_text(architecture)

    def _build(self, architecture: str) -> nn.Module:
        widths = [self.channels << stack for stack in range(self.stacks)]
        return Network(prune(parse(architecture)), widths, self.cells, self.classes)

    def size(self, architecture: str) -> int:
        cell = prune(parse(architecture))
        last = len(cell.operations) - 1
        kernels = [KERNELS.get(name, 0) ** 2 for name in cell.operations]
        width = self.channels
        total = (27 + 2) * width  # the stem
        for stack in range(self.stacks):
            channels_in, width = width, self.channels << stack
            widths = vertex_channels(cell.matrix, width)
            total += self.cells * sum(
                kernel * c**2 + 2 * c
                for kernel, c in zip(kernels[1:last], widths[1:last], strict=True)
                if kernel
            )
            projected = [c for c, reads in zip(widths, cell.matrix[0], strict=True) if reads]
            inputs = channels_in + (self.cells - 1) * width  # of all the stack's cells
            total += sum(projected) * (inputs + 2 * self.cells)
        return total + width * self.classes + self.classes

    def sample(self, rng: random.Random) -> str:
        """A cell with each edge with probability one half and with random operations, drawn until it is valid."""
        while True:
            matrix = _matrix(MAX_VERTICES, lambda i, j: rng.randrange(2))
            inner = [rng.choice(OPERATIONS) for _ in range(MAX_VERTICES - 2)]
            cell = Cell(matrix, (INPUT, *inner, OUTPUT))
            if is_valid(cell):
                return format_cell(cell)

    def mutate(self, architecture: str, rng: random.Random) -> str:
        """Adds or removes one edge, or changes the operation of one vertex, so that the pruned cell changes.

        Cells of fewer than seven vertices first get unused vertices. In a few cells no single change makes
        a difference: there, unused parts are changed until one does.
        """
        form = canonical_text(architecture)
        cell = _padded(parse(architecture), MAX_VERTICES, rng)
        while True:
            changes = list(_single_changes(cell))
            rng.shuffle(changes)
            for changed in filter(is_valid, changes):
                text = format_cell(changed)
                if canonical_text(text) != form:
                    return text
            cell = next(filter(is_valid, changes))

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """Each edge and each operation from one of the parents. If no child found so is a valid cell, the result
        is one of the parents."""
        parents = parse(first), parse(second)
        vertices = max(len(parent.operations) for parent in parents)
        pair = [_padded(parent, vertices, rng) for parent in parents]
        for _ in range(_TRIES):
            matrix = _matrix(vertices, lambda i, j: rng.choice(pair).matrix[i][j])
            operations = zip(*(parent.operations for parent in pair), strict=True)
            child = Cell(matrix, tuple(rng.choice(names) for names in operations))
            if is_valid(child):
                return format_cell(child)
        return format_cell(rng.choice(parents))

    def formats(self, architecture: str) -> dict[str, str]:
        cell = parse(architecture)
        return {
            "NAS-Bench-101 ModelSpec": _model_spec(cell),
            "NAS-Bench-101 ModelSpec, pruned": _model_spec(prune(cell)),
        }

    def graphs(self, architecture: str) -> list[Graph]:
        cell = prune(parse(architecture))
        return [Graph("cell", cell.operations, tuple((i, j, "") for i, j in edges_of(cell)))]


def _matrix(vertices: int, edge: Callable[[int, int], int]) -> Matrix:
    """An upper triangular matrix with the entries ``edge(i, j)``."""
    return tuple(
        (0,) * (i + 1) + tuple(edge(i, j) for j in range(i + 1, vertices)) for i in range(vertices)
    )


def _padded(cell: Cell, vertices: int, rng: random.Random) -> Cell:
    """The cell with unused vertices of random operations added before the output."""
    more = vertices - len(cell.operations)
    if more == 0:
        return cell
    rows = [(*row[:-1], *(0,) * more, row[-1]) for row in cell.matrix]
    matrix = (*rows[:-1], *((0,) * vertices,) * more, rows[-1])
    unused = (rng.choice(OPERATIONS) for _ in range(more))
    return Cell(matrix, (*cell.operations[:-1], *unused, OUTPUT))


def _single_changes(cell: Cell) -> Iterator[Cell]:
    """All cells with one edge added or removed, or one operation changed."""
    matrix, operations = cell
    for i, row in enumerate(matrix):
        for j in range(i + 1, len(row)):
            flipped = (*row[:j], 1 - row[j], *row[j + 1 :])
            yield Cell((*matrix[:i], flipped, *matrix[i + 1 :]), operations)
    for v in range(1, len(operations) - 1):
        for name in OPERATIONS:
            if name != operations[v]:
                yield Cell(matrix, (*operations[:v], name, *operations[v + 1 :]))


def _model_spec(cell: Cell) -> str:
    return f"ModelSpec(matrix={[list(row) for row in cell.matrix]}, ops={list(cell.operations)})"
