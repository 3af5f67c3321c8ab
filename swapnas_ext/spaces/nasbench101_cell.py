"""Cells of NAS-Bench-101: their text, pruning, channels and canonical order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from swapnas_ext.spaces.base import ArchitectureError

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
INPUT, OUTPUT = "input", "output"
MAX_VERTICES = 7
MAX_EDGES = 9
KERNELS = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}

Matrix = tuple[tuple[int, ...], ...]


class Cell(NamedTuple):
    """``matrix[i][j]`` is 1 where vertex i feeds vertex j > i; the first of the ``operations`` is the
    input, the last the output."""

    matrix: Matrix
    operations: tuple[str, ...]


@lru_cache(4096)  # a search asks for the form, the size and the children of the same text
def parse(text: str) -> Cell:
    """The cell of an architecture string, not pruned. Raises `ArchitectureError`, which points at the
    mistake."""
    digits, colon, names = text.partition(":")
    for position, digit in enumerate(digits):
        if digit not in "01":
            raise ArchitectureError(
                text, position, f"expected 0 or 1, or ':' after the matrix, found {digit!r}"
            )
    if not colon:
        raise ArchitectureError(text, len(text), "expected ':' after the matrix, found the end")
    operations = _parse_operations(text, len(digits) + 1, names)
    vertices = len(operations)
    if len(digits) != vertices**2:
        raise ArchitectureError(
            text,
            min(len(digits), vertices**2),
            f"expected {vertices**2} digits for {vertices} vertices, found {len(digits)}",
        )
    rows = [digits[i * vertices : (i + 1) * vertices] for i in range(vertices)]
    for i, row in enumerate(rows):
        if "1" in row[: i + 1]:
            raise ArchitectureError(
                text,
                i * vertices + row.index("1"),
                "expected 0 on the diagonal and below: edges lead to later vertices",
            )
    cell = Cell(tuple(tuple(map(int, row)) for row in rows), operations)
    live = live_vertices(cell.matrix)
    if not live:
        raise ArchitectureError(text, 0, "no path leads from the input to the output")
    edges = [(i, j) for i, j in edges_of(cell) if i in live and j in live]
    if len(edges) > MAX_EDGES:
        i, j = edges[MAX_EDGES]
        raise ArchitectureError(
            text,
            i * vertices + j,
            f"{len(edges)} edges are on paths from the input to the output; at most {MAX_EDGES}",
        )
    return cell


def _parse_operations(text: str, position: int, names: str) -> tuple[str, ...]:
    operations = names.split(",")
    for vertex, name in enumerate(operations):
        expected: tuple[str, ...] = OPERATIONS
        if vertex == 0:
            expected = (INPUT,)
        elif vertex == len(operations) - 1:
            expected = (OUTPUT,)
        if name not in expected:
            shown = repr(name if len(name) <= 20 else name[:20] + "...") if name else "nothing"
            known = " or ".join(expected)
            raise ArchitectureError(text, position, f"expected {known}, found {shown}")
        if vertex == MAX_VERTICES:
            raise ArchitectureError(
                text, position, f"{len(operations)} vertices; at most {MAX_VERTICES}"
            )
        position += len(name) + 1
    if len(operations) < 2:
        raise ArchitectureError(text, len(text), f"expected ',' and {OUTPUT}, found the end")
    return tuple(operations)


def format_cell(cell: Cell) -> str:
    """The string of a cell; `parse` reads it back."""
    digits = "".join(str(entry) for row in cell.matrix for entry in row)
    return f"{digits}:{','.join(cell.operations)}"


def prune(cell: Cell) -> Cell:
    """The cell without the vertices that are on no path from the input to the output."""
    live = live_vertices(cell.matrix)
    if len(live) == len(cell.operations):
        return cell
    matrix = tuple(tuple(cell.matrix[i][j] for j in live) for i in live)
    return Cell(matrix, tuple(cell.operations[i] for i in live))


def vertex_channels(matrix: Matrix, channels: int) -> list[int]:
    """Channels of each vertex of a pruned cell with ``channels`` output channels; 0 for the input, whose
    channels the cell does not determine.

    The vertices that feed the output share its channels. Where the division leaves a rest, the first ones get
    one more. Other vertices have as many channels as the widest vertex that they feed.
    """
    last = len(matrix) - 1
    widths = [0] * last + [channels]
    feeding = [v for v in range(1, last) if matrix[v][last]]
    if feeding:
        share, more = divmod(channels, len(feeding))
        for place, v in enumerate(feeding):
            widths[v] = share + (place < more)
    for v in reversed(range(1, last)):
        if not matrix[v][last]:
            widths[v] = max(widths[j] for j in range(v + 1, last) if matrix[v][j])
    return widths


def live_vertices(matrix: Matrix) -> list[int]:
    """The vertices on paths from the input to the output, in order. Empty if there is no path."""
    last = len(matrix) - 1
    reached = {0}
    for i, row in enumerate(matrix):
        if i in reached:
            reached.update(j for j, edge in enumerate(row) if edge)
    leading = {last}
    for i in reversed(range(last)):
        if any(edge and j in leading for j, edge in enumerate(matrix[i])):
            leading.add(i)
    live = sorted(reached & leading)
    return live if len(live) > 1 else []


def edges_of(cell: Cell) -> Iterator[tuple[int, int]]:
    return ((i, j) for i, row in enumerate(cell.matrix) for j, edge in enumerate(row) if edge)


def is_valid(cell: Cell) -> bool:
    live = live_vertices(cell.matrix)
    return bool(live) and sum(cell.matrix[i][j] for i in live for j in live) <= MAX_EDGES


# ---- isomorphism ---------------------------------------------------------------------------------


@lru_cache(4096)
def canonical_text(text: str) -> str:
    cell = prune(parse(text))
    order = (0, *_least_order(cell), len(cell.operations) - 1)
    matrix = tuple(tuple(cell.matrix[i][j] for j in order) for i in order)
    return format_cell(Cell(matrix, tuple(cell.operations[i] for i in order)))


def _least_order(cell: Cell) -> tuple[int, ...]:
    """The order of the inner vertices, sources first, that gives the smallest sequence of descriptions.

    A vertex is described by its operation, the places that it reads from, and whether it feeds the output.
    The sequence describes the whole cell, so it is the same for isomorphic cells and different for others.
    """
    matrix, operations = cell
    last = len(operations) - 1
    sources = [[i for i in range(1, last) if matrix[i][v]] for v in range(last)]
    orders: list[dict[int, int]] = [{}]  # the places of the vertices chosen so far
    for place in range(1, last):
        # Follow every order that begins with the smallest sequence so far; only symmetric cells have several.
        extended: dict[tuple[str, int, int], list[dict[int, int]]] = {}
        for places in orders:
            for v in range(1, last):
                if v in places or not all(i in places for i in sources[v]):
                    continue
                reads = matrix[0][v] + sum(1 << places[i] for i in sources[v])
                key = (operations[v], reads, matrix[v][last])
                extended.setdefault(key, []).append({**places, v: place})
        orders = extended[min(extended)]
    return tuple(orders[0])
