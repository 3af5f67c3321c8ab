"""Where the nodes of a drawn architecture stand."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swapnas_ext.spaces import Graph

Place = tuple[float, float]
"""In columns from the left, and rows from above."""

_CHAIN = 6
"""How many nodes of a long chain stand in one row."""


def places_of(graph: Graph) -> list[Place]:
    """A place for each node, in layers. A long chain stands in rows, which run forwards and backwards by turns.

    The layer of a node is the length of the longest way from the inputs to it.
    """
    return _chain(graph) or _layered(graph)


def _chain(graph: Graph) -> list[Place]:
    """Places in rows; empty where the graph is not a chain, or a short one."""
    chain = all(target == source + 1 for source, target, _ in graph.edges)
    if not chain or len(graph.nodes) <= _CHAIN:
        return []
    places = []
    for node in range(len(graph.nodes)):
        row, column = divmod(node, _CHAIN)
        forwards = column if row % 2 == 0 else _CHAIN - 1 - column
        places.append((float(forwards), float(row)))
    return places


def _layered(graph: Graph) -> list[Place]:
    layers = _layers(graph)
    columns: dict[int, list[int]] = defaultdict(list)
    for node, layer in enumerate(layers):
        columns[layer].append(node)
    places = {}
    for layer, nodes in columns.items():
        for rank, node in enumerate(nodes):
            # A single node stands off the middle, so that an edge past it does not run through it.
            alone = len(nodes) == 1 and 0 < layer < max(layers)
            shift = 0.6 * (-1) ** (layer + 1) if alone else 0.0
            places[node] = (float(layer), rank - (len(nodes) - 1) / 2 + shift)
    return [places[node] for node in range(len(layers))]


def _layers(graph: Graph) -> list[int]:
    layers = [0] * len(graph.nodes)
    for source, target, _ in sorted(graph.edges, key=lambda edge: edge[1]):
        layers[target] = max(layers[target], layers[source] + 1)
    last = len(layers) - 1
    layers[last] = max(layers[last], max(layers))  # the output comes last
    return layers
