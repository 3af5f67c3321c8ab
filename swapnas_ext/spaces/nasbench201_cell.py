"""Cells of NAS-Bench-201: their text, and their canonical form.

A cell string names the operation of each of the six edges, grouped by the node that they lead to::

    |nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|
"""

from __future__ import annotations

import itertools

from swapnas_ext.spaces.base import ArchitectureError

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = tuple((source, node) for node in (1, 2, 3) for source in range(node))

Cell = tuple[str, ...]
"""The operations of the six edges, in the order of ``EDGES``."""


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


Sum = tuple[int, ...]
"""A sum of values, sorted: 0 is the cell's input, k the k-th operation. Empty is zero."""


def sums_of_cell(cell: Cell) -> str:
    """The canonical form of a cell, see `NASBench201.canonical`. Unknown operations keep their names."""
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
    # Name the operations in every order that puts their inputs first. The smallest text is the form.
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
