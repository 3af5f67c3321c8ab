"""Reads and writes genotypes of the DARTS space.

The text is parsed as a literal, and never evaluated.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeGuard

from swapnas_ext.spaces.base import ArchitectureError
from swapnas_ext.spaces.darts_networks import OPERATIONS

NODES = 4
INPUTS = 2
_MAX_TEXT = 10_000
"""Longest text that Python's parser gets; a genotype has about 500 characters."""

Fail = Callable[[str, "ast.expr | None"], ArchitectureError]
"""Makes an error from a problem and the node that it is in."""

Edge = tuple[str, int]
"""An operation and its input: 0 and 1 are the cell's inputs, 2 to 5 its nodes."""


class Genotype(NamedTuple):
    """Two cells. Edges 2 i and 2 i + 1 lead to node i. The output concatenates the nodes of ``concat``."""

    normal: tuple[Edge, ...]
    normal_concat: tuple[int, ...]
    reduce: tuple[Edge, ...]
    reduce_concat: tuple[int, ...]


@lru_cache(4096)  # a search asks for the form, the size and the children of the same text
def parse(text: str) -> Genotype:
    """Reads ``Genotype(...)``. Raises `ArchitectureError` that points at the mistake."""

    if (exact := _parse_exactly(text)) is not None:
        return exact

    def fail(problem: str, node: ast.expr | None) -> ArchitectureError:
        place = _place(text, node) if node is not None else 0
        return ArchitectureError(text, place, problem)

    if len(text) > _MAX_TEXT:
        raise fail(f"{len(text):,} characters are too many for a genotype", None)
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, column = getattr(error, "lineno", 1) or 1, getattr(error, "offset", 1) or 1
        place = sum(len(part) for part in text.splitlines(keepends=True)[: line - 1]) + column - 1
        raise ArchitectureError(text, min(place, len(text)), "not a genotype") from None
    text = text.strip()
    if not (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Genotype"
        and not call.args
    ):
        raise fail(f"expected Genotype({', '.join(f'{f}=...' for f in Genotype._fields)})", call)
    fields: dict[str, tuple[object, ...]] = {}
    for keyword in call.keywords:
        if keyword.arg not in Genotype._fields or keyword.arg in fields:
            expected = ", ".join(Genotype._fields)
            raise fail(f"unexpected field {keyword.arg!r}; each once: {expected}", keyword.value)
        if keyword.arg.endswith("concat"):
            fields[keyword.arg] = _parse_concat(keyword.value, fail)
        else:
            fields[keyword.arg] = _parse_edges(keyword.value, fail)
    missing = [name for name in Genotype._fields if name not in fields]
    if missing:
        raise ArchitectureError(text, len(text), f"missing {', '.join(missing)}")
    return Genotype(**fields)  # type: ignore[arg-type] # each field was parsed as its own type


_EDGES = r"\[((?:\('\w+', \d\), ){7}\('\w+', \d\))\]"
_CONCAT = r"\[(\d(?:, \d)*)\]"
_EXACT = re.compile(
    rf"Genotype\(normal={_EDGES}, normal_concat={_CONCAT}, reduce={_EDGES}, reduce_concat={_CONCAT}\)"
)
_EDGE = re.compile(r"'(\w+)', (\d)")


def _parse_exactly(text: str) -> Genotype | None:
    """Reads a text that `format_genotype` wrote, ten times as fast as `parse`; None for any other text."""
    match = _EXACT.fullmatch(text)
    if match is None:
        return None
    cells: list[tuple[tuple[Edge, ...], tuple[int, ...]]] = []
    for edges_text, concat_text in (match.group(1, 2), match.group(3, 4)):
        edges = tuple((name, int(source)) for name, source in _EDGE.findall(edges_text))
        concat = tuple(map(int, concat_text.split(", ")))
        valid = (
            all(
                name in OPERATIONS and source < INPUTS + place // 2
                for place, (name, source) in enumerate(edges)
            )
            and len(set(concat)) == len(concat)
            and all(INPUTS <= node < INPUTS + NODES for node in concat)
        )
        if not valid:
            return None
        cells.append((edges, concat))
    normal, reduction = cells
    return Genotype(*normal, *reduction)


def format_genotype(genotype: Genotype) -> str:
    """As published code prints it; ``parse`` reads it back."""
    return (
        f"Genotype(normal={list(genotype.normal)}, normal_concat={list(genotype.normal_concat)}, "
        f"reduce={list(genotype.reduce)}, reduce_concat={list(genotype.reduce_concat)})"
    )


def _place(text: str, node: ast.expr) -> int:
    lines = text.splitlines(keepends=True)
    return sum(len(line) for line in lines[: node.lineno - 1]) + node.col_offset


def _parse_edges(value: ast.expr, fail: Fail) -> tuple[Edge, ...]:
    if not isinstance(value, ast.List | ast.Tuple) or len(value.elts) != 2 * NODES:
        raise fail(f"expected a list of {2 * NODES} edges such as ('skip_connect', 0)", value)
    edges: list[Edge] = []
    for place, pair in enumerate(value.elts):
        if not isinstance(pair, ast.Tuple | ast.List) or len(pair.elts) != 2:
            raise fail("expected an edge such as ('skip_connect', 0)", pair)
        operation, source = (_constant(part) for part in pair.elts)
        if not isinstance(operation, str) or operation not in OPERATIONS:
            known = ", ".join(OPERATIONS)
            raise fail(f"unknown operation {operation!r}; known: {known}", pair.elts[0])
        readable = INPUTS + place // 2
        if not _is_int(source) or not 0 <= source < readable:
            raise fail(
                f"edge {place} belongs to node {place // 2 + INPUTS}, which reads 0 to "
                f"{readable - 1}, not {source!r}",
                pair.elts[1],
            )
        edges.append((operation, source))
    return tuple(edges)


def _parse_concat(value: ast.expr, fail: Fail) -> tuple[int, ...]:
    listed: list[object] = []
    if isinstance(value, ast.List | ast.Tuple):
        listed = [_constant(part) for part in value.elts]
    elif (
        isinstance(value, ast.Call)  # older files print range(2, 6)
        and isinstance(value.func, ast.Name)
        and value.func.id == "range"
        and len(value.args) == 2
        and not value.keywords
    ):
        first, last = (_constant(bound) for bound in value.args)
        if _is_int(first) and _is_int(last):
            listed = list(range(first, min(last, first + 2 * NODES)))
    nodes = [node for node in listed if _is_int(node) and INPUTS <= node < INPUTS + NODES]
    if not nodes or len(nodes) != len(listed) or len(set(nodes)) != len(nodes):
        last_node = INPUTS + NODES - 1
        raise fail(f"expected a list of different nodes from {INPUTS} to {last_node}", value)
    return tuple(nodes)


def _constant(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _is_int(value: object) -> TypeGuard[int]:
    """Whether a value is an int, and no bool."""
    return type(value) is int
