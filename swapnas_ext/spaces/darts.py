"""The DARTS space (Liu et al., ICLR 2019, arXiv 1806.09055): a normal and a reduction cell.

A cell has two inputs and four nodes, each the sum of two operations on earlier ones; its output is the
concatenation of some nodes. Architectures are written as every code base around DARTS prints them::

    Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ...], normal_concat=[2, 3, 4, 5],
             reduce=[...], reduce_concat=[2, 3, 4, 5])

The text is parsed as a literal, and never evaluated.
"""

from __future__ import annotations

import ast
import json
import random
import re
from functools import lru_cache
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
        final: which network will be trained where the workload is scored; its size is what a search
            controls.

    A network of one or two layers has reduction cells only. There, architectures are sampled and changed
    with one cell for both kinds, as in the published correlation table: the score is of that cell.

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
        final: str = "cifar10",
    ) -> None:
        for argument, value in (("network", network), ("final", final)):
            if value not in NETWORKS:
                raise ValueError(f"{argument} must be one of {', '.join(NETWORKS)}, got {value!r}")
        given = (channels, layers, classes)
        for name, value in zip(("channels", "layers", "classes"), given, strict=True):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        *defaults, pixels = NETWORKS[network]
        self.network = network
        self._final = final
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
        self._reductions = [layer in _reductions(self.layers) for layer in range(self.layers)]
        self._one_cell = all(self._reductions)

    def final(self) -> SearchSpace:
        if self.network != "workload" or self._final == "workload":
            return self
        return DARTS(self._final)

    def parse(self, text: str) -> Genotype:
        return parse(text)

    def format(self, parsed: Genotype) -> str:
        return format_genotype(parsed)

    def canonical(self, architecture: str) -> str:
        """The genotype with each node's two edges in one order, and nodes that are never read set to
        ``none``; without the cell that this network has none of (a single layer is a reduction cell).
        """
        genotype = parse(architecture)
        cells = []
        if not self._one_cell:
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
            reductions=self._reductions,
            reduced_inputs=self.network == "imagenet",
            classes=self.classes,
        )

    def size(self, architecture: str) -> int:
        genotype = parse(architecture)
        weights = [_cell_weights(edges, reduction) for reduction, edges in enumerate(genotype[::2])]
        widths, channels, total = self._stem_weights()
        for reduction in self._reductions:
            squares, linear = weights[reduction]
            channels *= 1 + reduction
            total += squares * channels**2 + linear * channels
            total += (sum(widths) + 2 * 2) * channels  # the two preprocessing convolutions
            concat = genotype.reduce_concat if reduction else genotype.normal_concat
            widths = widths[1], len(concat) * channels
        return total + (widths[1] + 1) * self.classes

    def _stem_weights(self) -> tuple[tuple[int, int], int, int]:
        """Channels of the first cell's two inputs and of the cell, parameters of the stem."""
        c = self.channels
        if self.network == "workload":
            return (c, c), c, 0
        if self.network == "cifar10":
            return (3 * c, 3 * c), c, (27 + 2) * 3 * c
        half = c // 2
        return (c, c), c, (27 + 2) * half + 9 * half * c + 2 * c + 9 * c * c + 2 * c

    def sample(self, rng: random.Random) -> str:
        def cell() -> tuple[Edge, ...]:
            return tuple(_random_edge(node, rng) for node in range(NODES) for _ in range(2))

        concat = tuple(range(INPUTS, INPUTS + NODES))
        reduce = cell()
        normal = reduce if self._one_cell else cell()
        return format_genotype(Genotype(normal, concat, reduce, concat))

    def mutate(self, architecture: str, rng: random.Random) -> str:
        """One edge gets another operation, or another input."""
        genotype = parse(architecture)
        which = "reduce" if self._one_cell else rng.choice(("normal", "reduce"))
        edges = list(getattr(genotype, which))
        place = rng.randrange(len(edges))
        operation, source = edges[place]
        if rng.random() < 0.5:
            operation = rng.choice([name for name in OPERATIONS if name != operation])
        else:
            source = rng.choice([k for k in range(INPUTS + place // 2) if k != source])
        edges[place] = (operation, source)
        return self._format_changed(genotype, **{which: tuple(edges)})

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """Each node of each cell, with its two edges, from one of the parents."""
        parents = parse(first), parse(second)

        def cell(which: str) -> tuple[Edge, ...]:
            pair = [getattr(parent, which) for parent in parents]
            return tuple(
                edge for node in range(NODES) for edge in rng.choice(pair)[2 * node : 2 * node + 2]
            )

        cells = {"reduce": cell("reduce")}
        if not self._one_cell:
            cells["normal"] = cell("normal")
        return self._format_changed(parents[0], **cells)

    def _format_changed(self, genotype: Genotype, **cells: tuple[Edge, ...]) -> str:
        genotype = genotype._replace(**cells)  # type: ignore[arg-type]
        if self._one_cell:
            genotype = genotype._replace(
                normal=genotype.reduce, normal_concat=genotype.reduce_concat
            )
        return format_genotype(genotype)

    def formats(self, architecture: str) -> dict[str, str]:
        genotype = parse(architecture)
        cells = {
            "normal_cell": _by_node(genotype.normal),
            "reduction_cell": _by_node(genotype.reduce),
        }
        return {
            "DARTS, PC-DARTS, P-DARTS, NAS-Bench-301": format_genotype(genotype),
            "operations and inputs by node, JSON": json.dumps(cells),
        }

    def graphs(self, architecture: str) -> list[Graph]:
        genotype = parse(architecture)
        normal = _graph("normal cell", genotype.normal, genotype.normal_concat)
        reduction = _graph("reduction cell", genotype.reduce, genotype.reduce_concat)
        if genotype[:2] == genotype[2:]:
            return [reduction._replace(title="normal and reduction cell")]
        return [normal, reduction]


@lru_cache(4096)  # a search asks for the form, the size and the children of the same text
def parse(text: str) -> Genotype:
    """Reads ``Genotype(...)``. Raises `ArchitectureError` that points at the mistake."""

    if (exact := _parse_exactly(text)) is not None:
        return exact

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


_EDGES = r"\[((?:\('\w+', \d\), ){7}\('\w+', \d\))\]"
_CONCAT = r"\[(\d(?:, \d)*)\]"
_EXACT = re.compile(
    rf"Genotype\(normal={_EDGES}, normal_concat={_CONCAT}, reduce={_EDGES}, reduce_concat={_CONCAT}\)"
)
_EDGE = re.compile(r"'(\w+)', (\d)")


def _parse_exactly(text: str) -> Genotype | None:
    """A genotype as `format_genotype` writes it, ten times as fast; None for all others, right or wrong."""
    match = _EXACT.fullmatch(text)
    if match is None:
        return None
    cells = []
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
        cells += [edges, concat]
    return Genotype(*cells)


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


def _cell_weights(edges: tuple[Edge, ...], reduction: int) -> tuple[int, int]:
    """Parameters of the operations of a cell: so many times C^2, and so many times C."""
    squares = linear = 0
    for name, source in edges:
        kind, _, size = name.rpartition("_")
        if kind in ("sep_conv", "dil_conv"):  # depthwise, pointwise, normalisation
            times = 2 if kind == "sep_conv" else 1
            squares += times
            linear += times * (int(size[0]) ** 2 + 2)
        elif name == "skip_connect" and reduction and source < INPUTS:  # a factorised reduction
            squares += 1
            linear += 2
    return squares, linear


def _graph(title: str, edges: tuple[Edge, ...], concat: tuple[int, ...]) -> Graph:
    nodes = ("c_{k-2}", "c_{k-1}", *map(str, range(NODES)), "c_{k}")
    drawn = [
        (source, INPUTS + place // 2, name)
        for place, (name, source) in enumerate(edges)
        if name != "none"
    ]
    drawn += [(node, len(nodes) - 1, "") for node in sorted(concat)]
    return Graph(title, nodes, tuple(drawn))


def _by_node(edges: tuple[Edge, ...]) -> list[list[Edge]]:
    return [list(edges[2 * node : 2 * node + 2]) for node in range(NODES)]
