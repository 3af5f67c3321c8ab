"""The DARTS space (Liu et al., ICLR 2019, arXiv 1806.09055): a normal and a reduction cell.

A cell has two inputs and four nodes, each the sum of two operations on earlier ones; its output is the
concatenation of some nodes. Architectures are written as every code base around DARTS prints them::

    Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ...], normal_concat=[2, 3, 4, 5],
             reduce=[...], reduce_concat=[2, 3, 4, 5])

The text is parsed as a literal, and never evaluated.
"""

from __future__ import annotations

import ast
import random
from typing import NamedTuple

from torch import nn

from swapnas_ext.spaces.base import ArchitectureError, Graph, SearchSpace
from swapnas_ext.spaces.darts_networks import OPERATIONS, CellNetwork, ImageNetStem, stem

NODES = 4
INPUTS = 2
_MAX_TEXT = (
    10_000  # a genotype has about 500 characters; Python's parser is not meant for megabytes
)

Edge = tuple[str, int]
"""An operation, and what it reads: 0 and 1 are the cell's inputs, 2 to 5 its nodes."""


class Genotype(NamedTuple):
    """Two cells. Edges 2 i and 2 i + 1 are those of node i; ``concat`` are the nodes of the output."""

    normal: tuple[Edge, ...]
    normal_concat: tuple[int, ...]
    reduce: tuple[Edge, ...]
    reduce_concat: tuple[int, ...]


NETWORKS = {  # channels, layers, classes, pixels: of each network as published
    "workload": (3, 1, 10, 32),
    "cifar10": (36, 20, 10, 32),
    "imagenet": (48, 14, 1000, 224),
}


class DARTS(SearchSpace):
    """The networks of DARTS genotypes.

    Args:
        network: which network a genotype becomes.

            * ``"workload"``: the one that the published SWAP-Scores are taken from. Cells straight on
              the image, without a stem; one layer by default, which is a reduction cell.
            * ``"cifar10"``: the usual stem, 20 cells, reductions at a third and two thirds.
            * ``"imagenet"``: the usual stem, which divides the image's sides by 8, and 14 cells.
        channels: C, by default 3 (the image's own), 36 and 48.
        layers: number of cells, by default 1, 20 and 14.
        classes: by default 10, 10 and 1000.

    The auxiliary classifier of the published training code is left out: it is no part of the network
    that is evaluated.
    """

    def __init__(
        self,
        network: str = "workload",
        *,
        channels: int | None = None,
        layers: int | None = None,
        classes: int | None = None,
    ) -> None:
        if network not in NETWORKS:
            raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {network!r}")
        given = (channels, layers, classes)
        for name, value in zip(("channels", "layers", "classes"), given, strict=True):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        *defaults, pixels = NETWORKS[network]
        self.network = network
        self.channels, self.layers, self.classes = (
            default if value is None else value
            for value, default in zip(given, defaults, strict=True)
        )
        if network == "workload" and self.channels != 3:
            raise ValueError(
                f"the workload network has no stem, so its channels are the image's 3, got {channels}"
            )
        if network == "imagenet" and self.channels % 2:
            raise ValueError(f"the ImageNet stem halves the channels; {channels} is odd")
        self.input_size = (3, pixels, pixels)

    def parse(self, text: str) -> Genotype:
        return parse(text)

    def format(self, parsed: Genotype) -> str:
        return format_genotype(parsed)

    def canonical(self, architecture: str) -> str:
        """The genotype with each node's two edges in one order, and nodes that are never read set to
        ``none``; without the cell that this network has none of (a single layer is a reduction cell).
        """
        genotype = parse(architecture)
        reductions = set(_reductions(self.layers))
        cells = []
        if len(reductions) < self.layers:
            cells.append(_canonical_cell(genotype.normal, genotype.normal_concat))
        cells.append(_canonical_cell(genotype.reduce, genotype.reduce_concat))
        return " / ".join(cells)

    def _build(self, architecture: str) -> nn.Module:
        genotype = parse(architecture)
        cells = (
            (genotype.normal, genotype.normal_concat),
            (genotype.reduce, genotype.reduce_concat),
        )
        if self.network == "workload":
            root, widths = nn.Identity(), (self.channels, self.channels)
        elif self.network == "cifar10":
            root, widths = stem(3 * self.channels), (3 * self.channels, 3 * self.channels)
        else:
            root, widths = ImageNetStem(self.channels), (self.channels, self.channels)
        return CellNetwork(
            root,
            widths,
            cells,
            channels=self.channels,
            reductions=[layer in _reductions(self.layers) for layer in range(self.layers)],
            reduced_inputs=self.network == "imagenet",
            classes=self.classes,
        )

    def sample(self, rng: random.Random) -> str:
        def cell() -> tuple[Edge, ...]:
            return tuple(_random_edge(node, rng) for node in range(NODES) for _ in range(2))

        concat = tuple(range(INPUTS, INPUTS + NODES))
        return format_genotype(Genotype(cell(), concat, cell(), concat))

    def mutate(self, architecture: str, rng: random.Random) -> str:
        """One edge gets another operation, or another input."""
        genotype = parse(architecture)
        which = rng.choice(("normal", "reduce")) if self.layers > 1 else "reduce"
        edges = list(getattr(genotype, which))
        place = rng.randrange(len(edges))
        operation, source = edges[place]
        if rng.random() < 0.5:
            operation = rng.choice([name for name in OPERATIONS if name != operation])
        else:
            source = rng.choice([k for k in range(INPUTS + place // 2) if k != source])
        edges[place] = (operation, source)
        return format_genotype(genotype._replace(**{which: tuple(edges)}))

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """Each node of each cell, with its two edges, from one of the parents."""
        parents = parse(first), parse(second)

        def cell(which: str) -> tuple[Edge, ...]:
            pair = [getattr(parent, which) for parent in parents]
            return tuple(
                edge for node in range(NODES) for edge in rng.choice(pair)[2 * node : 2 * node + 2]
            )

        return format_genotype(parents[0]._replace(normal=cell("normal"), reduce=cell("reduce")))


def parse(text: str) -> Genotype:
    """Reads ``Genotype(...)``. Raises `ArchitectureError` that points at the mistake."""

    def fail(problem: str, node: ast.AST | None = None) -> ArchitectureError:
        place = _place(text, node) if node is not None else 0
        return ArchitectureError(text, place, problem)

    if len(text) > _MAX_TEXT:
        raise fail(f"{len(text):,} characters are too many for a genotype")
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, column = getattr(error, "lineno", 1) or 1, getattr(error, "offset", 1) or 1
        place = sum(len(part) for part in text.splitlines(keepends=True)[: line - 1]) + column - 1
        raise ArchitectureError(text, min(place, len(text)), "not a genotype") from None
    text = text.strip()
    named = (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Genotype"
        and not call.args
    )
    if not named:
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
    return Genotype(**fields)  # type: ignore[arg-type]


def format_genotype(genotype: Genotype) -> str:
    """As published code prints it; ``parse`` reads it back."""
    return (
        f"Genotype(normal={list(genotype.normal)}, normal_concat={list(genotype.normal_concat)}, "
        f"reduce={list(genotype.reduce)}, reduce_concat={list(genotype.reduce_concat)})"
    )


def _place(text: str, node: ast.AST) -> int:
    lines = text.splitlines(keepends=True)
    before = sum(len(line) for line in lines[: node.lineno - 1])  # type: ignore[attr-defined]
    return before + node.col_offset  # type: ignore[attr-defined]


def _parse_edges(value: ast.expr, fail) -> tuple[Edge, ...]:  # type: ignore[no-untyped-def]
    if not isinstance(value, ast.List | ast.Tuple) or len(value.elts) != 2 * NODES:
        raise fail(f"expected a list of {2 * NODES} edges such as ('skip_connect', 0)", value)
    edges = []
    for place, pair in enumerate(value.elts):
        if not isinstance(pair, ast.Tuple | ast.List) or len(pair.elts) != 2:
            raise fail("expected an edge such as ('skip_connect', 0)", pair)
        operation, source = (_constant(part) for part in pair.elts)
        if operation not in OPERATIONS:
            known = ", ".join(OPERATIONS)
            raise fail(f"unknown operation {operation!r}; known: {known}", pair.elts[0])
        readable = INPUTS + place // 2
        if type(source) is not int or not 0 <= source < readable:
            raise fail(
                f"edge {place} belongs to node {place // 2 + INPUTS}, which reads 0 to "
                f"{readable - 1}, not {source!r}",
                pair.elts[1],
            )
        edges.append((operation, source))
    return tuple(edges)


def _parse_concat(value: ast.expr, fail) -> tuple[int, ...]:  # type: ignore[no-untyped-def]
    if (
        isinstance(value, ast.Call)  # older files print range(2, 6)
        and isinstance(value.func, ast.Name)
        and value.func.id == "range"
        and len(value.args) == 2
        and not value.keywords
        and all(type(_constant(bound)) is int for bound in value.args)
    ):
        first, last = (_constant(bound) for bound in value.args)
        nodes = list(range(first, min(last, first + 2 * NODES)))
    elif isinstance(value, ast.List | ast.Tuple):
        nodes = [_constant(part) for part in value.elts]
    else:
        nodes = []
    inside = all(type(node) is int and INPUTS <= node < INPUTS + NODES for node in nodes)
    if not nodes or not inside or len(set(nodes)) != len(nodes):
        last_node = INPUTS + NODES - 1
        raise fail(f"expected a list of different nodes from {INPUTS} to {last_node}", value)
    return tuple(nodes)


def _constant(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _random_edge(node: int, rng: random.Random) -> Edge:
    return rng.choice(OPERATIONS), rng.randrange(INPUTS + node)


def _reductions(layers: int) -> tuple[int, int]:
    return layers // 3, 2 * layers // 3


def _canonical_cell(edges: tuple[Edge, ...], concat: tuple[int, ...]) -> str:
    live = set(concat)
    for node in reversed(range(NODES)):
        if INPUTS + node in live:
            pair = edges[2 * node : 2 * node + 2]
            live.update(source for operation, source in pair if operation != "none")
    texts = []
    for node in range(NODES):
        pair = edges[2 * node : 2 * node + 2] if INPUTS + node in live else ()
        used = sorted(f"{name}({k})" for name, k in pair if name != "none")
        texts.append("+".join(used) or "none")
    return f"{'; '.join(texts)} -> {','.join(map(str, sorted(concat)))}"
