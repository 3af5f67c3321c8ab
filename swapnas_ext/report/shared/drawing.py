"""Draws architectures as SVG, with real text."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from swapnas_ext.report.shared.graph_places import places_of
from swapnas_ext.report.shared.page import render

if TYPE_CHECKING:
    from swapnas_ext.spaces import Graph

_ROW = 92.0
"""Distance of neighbouring rows in pixels, as all lengths here."""
_LETTER, _SMALL_LETTER = 6.8, 6.0
"""How wide a letter is at most, on average: there is no browser here to measure it."""
_NODE_HEIGHT, _LINE = 26.0, 14.0
_MARGIN = 14.0
_BOW = 0.09
"""How far an edge bends around nodes, as a part of its length for each layer that it passes."""
_ALONG = (0.5, 0.6, 0.4, 0.55, 0.45, 0.65, 0.35, 0.7, 0.3, 0.78, 0.22, 0.84, 0.16)
"""Where the label of an edge may stand, the best first."""
_APART = 12.0
"""How far labels beside each other should be apart."""
_STEPS = 60

Point = tuple[float, float]


class Box(NamedTuple):
    """A rectangle around its middle."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: Box) -> float:
        """The area of what both cover."""
        wide = (self.width + other.width) / 2 - abs(self.x - other.x)
        high = (self.height + other.height) / 2 - abs(self.y - other.y)
        return max(0.0, wide) * max(0.0, high)

    def has(self, point: Point, margin: float) -> bool:
        return (
            abs(point[0] - self.x) <= self.width / 2 + margin
            and abs(point[1] - self.y) <= self.height / 2 + margin
        )


@dataclass(frozen=True)
class Edge:
    """A curve from one node to another, and its label.

    Attributes:
        curve: begin, control point and end of a quadratic curve.
        lines: of the label; empty without one.
        box: around the label.
    """

    curve: tuple[Point, Point, Point]
    lines: Sequence[str]
    box: Box


@dataclass(frozen=True)
class Drawing:
    """A drawing as an SVG element, which stands for itself: it has a title and a description."""

    title: str
    width: float
    svg: Markup


def draw_graph(graph: Graph, key: str) -> Drawing:
    """Draws nodes in layers, and edges with their labels. A long chain is drawn in rows.

    Args:
        key: a name for the drawing, which no other of the page has.
    """
    nodes = _nodes(graph)
    edges = _edges(graph, nodes)
    boxes = [*nodes, *(edge.box for edge in edges)]
    left = min(box.x - box.width / 2 for box in boxes) - _MARGIN
    top = min(box.y - box.height / 2 for box in boxes) - _MARGIN
    right = max(box.x + box.width / 2 for box in boxes) + _MARGIN
    bottom = max(box.y + box.height / 2 for box in boxes) + _MARGIN
    svg = render(
        "drawing.svg",
        key=key,
        title=graph.title,
        description=description_of(graph),
        nodes=list(zip(nodes, graph.nodes, strict=True)),
        edges=edges,
        view=(left, top, right - left, bottom - top),
        line=_LINE,
    )
    return Drawing(graph.title, right - left, Markup(svg.strip()))


def description_of(graph: Graph) -> str:
    """The drawing in words: its edges with their labels."""
    told = [
        f"{graph.nodes[source]} to {graph.nodes[target]}{f': {label}' if label else ''}"
        for source, target, label in graph.edges
    ]
    return "; ".join(told)


def _nodes(graph: Graph) -> list[Box]:
    widths = [max(30.0, _LETTER * len(label) + 18) for label in graph.nodes]
    labels = [_SMALL_LETTER * len(label) for *_, label in graph.edges]
    column = max(110.0, max(widths) + max(labels, default=0.0) + 44)
    return [
        Box(column * x, _ROW * y, width, _NODE_HEIGHT)
        for (x, y), width in zip(places_of(graph), widths, strict=True)
    ]


def _edges(graph: Graph, nodes: list[Box]) -> list[Edge]:
    places = places_of(graph)
    labels: dict[tuple[int, int], list[str]] = defaultdict(list)
    for source, target, label in graph.edges:
        labels[source, target].append(label)
    curves = {}
    for source, target in labels:
        layers = round(places[target][0] - places[source][0])
        curves[source, target] = _trimmed(
            _curve(nodes[source], nodes[target], _BOW * max(0, layers - 1)),
            nodes[source],
            nodes[target],
        )
    taken = list(nodes)
    edges = {}
    # A short edge has few places for its label, so it is the first to choose.
    for key, curve in sorted(curves.items(), key=lambda item: math.dist(item[1][0], item[1][2])):
        lines = [name for name in labels[key] if name]
        width = max(map(len, lines), default=0) * _SMALL_LETTER + 6 * bool(lines)
        box = _free(curve, width, _LINE * len(lines), taken)
        if lines:
            taken.append(box)
        edges[key] = Edge(curve, lines, box)
    return [edges[key] for key in labels]


def _curve(begin: Box, end: Box, bow: float) -> tuple[Point, Point, Point]:
    across, down = end.x - begin.x, end.y - begin.y
    middle = ((begin.x + end.x) / 2 - bow * down, (begin.y + end.y) / 2 + bow * across)
    return (begin.x, begin.y), middle, (end.x, end.y)


def _at(curve: tuple[Point, Point, Point], along: float) -> Point:
    one, two, three = (1 - along) ** 2, 2 * along * (1 - along), along**2
    (ax, ay), (bx, by), (cx, cy) = curve
    return one * ax + two * bx + three * cx, one * ay + two * by + three * cy


def _trimmed(curve: tuple[Point, Point, Point], begin: Box, end: Box) -> tuple[Point, Point, Point]:
    """The part of the curve between the two nodes, a little away from the end for the head of the arrow."""
    steps = [step / _STEPS for step in range(_STEPS + 1)]
    first = next((at for at in steps if not begin.has(_at(curve, at), 1)), 0.0)
    last = next((at for at in reversed(steps) if not end.has(_at(curve, at), 4)), 1.0)
    if last <= first:
        return curve
    (ax, ay), (bx, by), (cx, cy) = curve

    def between(s: float, t: float) -> Point:
        """The polar form of the curve, which gives the control point of its part."""
        one, two, three = (1 - s) * (1 - t), s * (1 - t) + t * (1 - s), s * t
        return one * ax + two * bx + three * cx, one * ay + two * by + three * cy

    return _at(curve, first), between(first, last), _at(curve, last)


def _free(
    curve: tuple[Point, Point, Point], width: float, height: float, taken: Sequence[Box]
) -> Box:
    """Where on the curve a label hides least of what is there."""

    def hidden(box: Box) -> float:
        wider = box._replace(width=box.width + _APART)
        return sum(map(wider.overlap, taken))

    return min((Box(*_at(curve, along), width, height) for along in _ALONG), key=hidden)
