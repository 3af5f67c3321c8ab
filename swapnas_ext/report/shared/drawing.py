"""Draws architectures, and writes drawings as SVG."""

from __future__ import annotations

import io
from collections import defaultdict
from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

if TYPE_CHECKING:
    from swapnas_ext.spaces import Graph

INK = "#1f2933"
ACCENT = "#c2410c"
MUTED = "#9aa5b1"

_COLUMN, _ROW = 2.4, 1.5
"""Distance of neighbouring nodes in a row, and of neighbouring rows."""
_CHAIN = 6
"""How many nodes of a long chain stand in one row."""
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))

Place = tuple[float, float]


def to_svg(figure: Figure) -> str:
    """The figure as an SVG element for a page. The same figure always gives the same text."""
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": "swapnas_ext"}):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata=_NO_METADATA)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def draw_graph(graph: Graph) -> Figure:
    """Draws nodes in layers, and edges with their labels. A long chain is drawn in rows.

    The layer of a node is the length of the longest way from the inputs to it.
    """
    places = _chain_places(graph) or _layer_places(graph)
    xs, ys = zip(*places, strict=True)
    width, height = (max(xs) - min(xs)) / _COLUMN, (max(ys) - min(ys)) / _ROW
    figure = Figure(figsize=(1.6 + 2.6 * width, 1.4 + 1.3 * height))
    axes = figure.add_subplot()
    axes.axis("off")
    _draw_edges(axes, graph, places)
    for node, label in enumerate(graph.nodes):
        axes.text(
            *places[node],
            label,
            ha="center",
            va="center",
            fontsize=9,
            color=INK,
            zorder=3,
            bbox={"boxstyle": "round,pad=0.35", "fc": "#e4ecf7", "ec": INK, "lw": 0.8},
        )
    axes.set_xlim(min(xs) - 0.8, max(xs) + 0.8)
    axes.set_ylim(min(ys) - 1.2, max(ys) + 1.2)
    axes.set_title(graph.title, fontsize=10, color=INK)
    return figure


def _chain_places(graph: Graph) -> list[Place]:
    """Places in rows; empty where the graph is not a chain, or a short one."""
    chain = all(target == source + 1 for source, target, _ in graph.edges)
    if not chain or len(graph.nodes) <= _CHAIN:
        return []
    places = []
    for node in range(len(graph.nodes)):
        row, column = divmod(node, _CHAIN)
        forwards = column if row % 2 == 0 else _CHAIN - 1 - column
        places.append((_COLUMN * forwards, -_ROW * row))
    return places


def _layer_places(graph: Graph) -> list[Place]:
    layers = _layers(graph)
    columns: dict[int, list[int]] = defaultdict(list)
    for node, layer in enumerate(layers):
        columns[layer].append(node)
    places = {}
    for layer, nodes in columns.items():
        for rank, node in enumerate(nodes):
            # A single node stands off the middle, so that an edge past it does not run through it.
            alone = len(nodes) == 1 and 0 < layer < max(layers)
            shift = 0.6 * _ROW * (-1) ** layer if alone else 0.0
            places[node] = (_COLUMN * layer, _ROW * ((len(nodes) - 1) / 2 - rank) + shift)
    return [places[node] for node in range(len(layers))]


def _layers(graph: Graph) -> list[int]:
    layers = [0] * len(graph.nodes)
    for source, target, _ in sorted(graph.edges, key=lambda edge: edge[1]):
        layers[target] = max(layers[target], layers[source] + 1)
    last = len(layers) - 1
    layers[last] = max(layers[last], max(layers))  # the output comes last
    return layers


def _draw_edges(axes: Axes, graph: Graph, places: list[Place]) -> None:
    labels: dict[tuple[int, int], list[str]] = defaultdict(list)
    for source, target, label in graph.edges:
        labels[source, target].append(label)
    for nth, ((source, target), names) in enumerate(labels.items()):
        (x0, y0), (x1, y1) = places[source], places[target]
        label = "\n".join(name for name in names if name)
        bow = 0.09 * max(
            0, round((x1 - x0) / _COLUMN) - 1
        )  # long edges bend around the nodes between
        axes.add_patch(
            FancyArrowPatch(
                (x0, y0),
                (x1, y1),
                connectionstyle=f"arc3,rad={bow}",
                arrowstyle="-|>",
                mutation_scale=9,
                shrinkA=14,
                shrinkB=14,
                color=INK if label else MUTED,
                lw=1.0 if label else 0.6,
                zorder=1,
                clip_on=False,
            )
        )
        if label:
            # The label stands on the curve that arc3 draws. It stands near the end, since fewer edges end at a
            # node than begin there.
            along = (0.56, 0.74)[nth % 2]
            off = 2 * along * (1 - along) * bow
            axes.text(
                x0 + along * (x1 - x0) + off * (y1 - y0),
                y0 + along * (y1 - y0) - off * (x1 - x0),
                label,
                fontsize=7,
                color=ACCENT,
                ha="center",
                va="center",
                zorder=2,
                bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.85},
            )
