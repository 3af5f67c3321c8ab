"""The DARTS space (Liu et al., ICLR 2019, arXiv 1806.09055): a normal and a reduction cell.

A cell has two inputs and four nodes, each the sum of two operations on earlier ones; its output is the
concatenation of some nodes. Architectures are written as every code base around DARTS prints them::

    Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ...], normal_concat=[2, 3, 4, 5],
             reduce=[...], reduce_concat=[2, 3, 4, 5])

The text is parsed as a literal, and never evaluated.
"""

from __future__ import annotations

import json
import random

from torch import nn

from swapnas_ext.spaces.base import Graph, SearchSpace
from swapnas_ext.spaces.darts_genotype import INPUTS, NODES, Edge, Genotype, format_genotype, parse
from swapnas_ext.spaces.darts_networks import OPERATIONS, CellNetwork, ImageNetStem, stem
from swapnas_ext.spaces.differing import differing

NETWORKS = {  # channels, layers, classes, pixels: of each network as published
    "workload": (3, 1, 10, 32),
    "cifar10": (36, 20, 10, 32),
    "imagenet": (48, 14, 1000, 224),
}


class DARTS(SearchSpace):
    """The networks of DARTS genotypes.

    Args:
        network: which network a genotype becomes.

            * ``"workload"``: the network of the published SWAP-Scores. Its cells read the image directly,
              without a stem. It has one layer by default, which is a reduction cell.
            * ``"cifar10"``: the usual stem, 20 cells, reductions at a third and two thirds.
            * ``"imagenet"``: the usual stem, which divides the image's sides by 8, and 14 cells.
        channels: C, by default 3 (the image's own), 36 and 48.
        layers: number of cells, by default 1, 20 and 14.
        classes: by default 10, 10 and 1000.
        final: the network that will be trained where the workload is scored. A search controls its size.

    A network of one or two layers has only reduction cells. Sampled and mutated architectures then have the
    same cell for both kinds, as in the published correlation table.

    The auxiliary classifier of the published training code is left out, since it is not part of the network
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
        for argument, name in (("network", network), ("final", final)):
            if name not in NETWORKS:
                raise ValueError(f"{argument} must be one of {', '.join(NETWORKS)}, got {name!r}")
        given = (channels, layers, classes)
        for argument, value in zip(("channels", "layers", "classes"), given, strict=True):
            if value is not None and value < 1:
                raise ValueError(f"{argument} must be at least 1, got {value}")
        *defaults, pixels = NETWORKS[network]
        self.network = network
        self._final = final
        self._classes_given = classes
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
        return DARTS(self._final, classes=self._classes_given)

    def parse(self, text: str) -> Genotype:
        return parse(text)

    def format(self, parsed: Genotype) -> str:
        return format_genotype(parsed)

    def canonical(self, architecture: str) -> str:
        """The genotype with each node's two edges in a fixed order, and with ``none`` for nodes that are never
        read. A kind of cell that the network does not have is left out.
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
            root: nn.Module = nn.Identity()
            widths = self.channels, self.channels
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
        """Channels of the first cell's two inputs, channels of the cell, and parameters of the stem."""
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
        """Changes the operation or the input of one edge."""
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
        """Each node of each cell, with both its edges, from one of the parents."""
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

    def distance(self, first: str, second: str) -> int:
        """In how many operations, inputs and nodes of the concatenation two genotypes differ. The two edges of a node
        have no order. Of a network that has only reduction cells, only these count."""
        pair = parse(first), parse(second)
        kinds = ("reduce",) if self._one_cell else ("normal", "reduce")
        return sum(
            _cell_distance(*(getattr(one, kind) for one in pair))
            + len(set.symmetric_difference(*(set(getattr(one, f"{kind}_concat")) for one in pair)))
            for kind in kinds
        )

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


def _cell_distance(first: tuple[Edge, ...], second: tuple[Edge, ...]) -> int:
    total = 0
    for node in range(0, 2 * NODES, 2):
        one, other = first[node : node + 2], second[node : node + 2]
        if one != other:
            total += min(differing(one, other), differing(one, other[::-1]))
    return total


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
    """The parameters of a cell's operations as two factors: of C^2 and of C, where C is the number of channels."""
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
