"""Drawings of architectures."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET

import pytest

import swapnas_ext as swap
from swapnas_ext.report.shared.drawing import Box, draw_graph
from swapnas_ext.report.shared.graph_places import places_of
from swapnas_ext.report.shared.names import short_name
from swapnas_ext.spaces import Graph

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", swap.spaces.names())
def test_all_spaces_can_be_drawn_and_written_for_others(name: str) -> None:
    space = swap.spaces.get(name)
    for seed in range(3):
        architecture = space.sample(random.Random(seed))
        graphs = space.graphs(architecture)
        assert graphs
        for graph in graphs:
            assert all(0 <= source < target < len(graph.nodes) for source, target, _ in graph.edges)
            svg = ET.fromstring(draw_graph(graph, "d").svg)
            texts = [element.text for element in svg.iter(f"{SVG}text")]
            assert set(graph.nodes) <= set(texts)  # real text
            assert {label for *_, label in graph.edges if label} <= set(texts)
        assert all(isinstance(text, str) for text in space.formats(architecture).values())
        assert 0 < len(short_name(architecture, space)) <= 60


def test_a_picture_is_the_same_each_time_and_tells_what_it_shows() -> None:
    graph = Graph("cell <&>", ("in", "a", "out"), ((0, 1, "conv"), (0, 1, "pool"), (1, 2, "")))
    first, second = (draw_graph(graph, "key").svg for _ in range(2))
    assert first == second
    svg = ET.fromstring(first)
    title, description = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert title is not None and title.text == "cell <&>"
    assert description is not None
    assert description.text == "in to a: conv; in to a: pool; a to out"
    assert svg.get("aria-labelledby") == "key-title key-desc"


def test_everything_is_inside_the_picture() -> None:
    space = swap.spaces.get("darts")
    for seed in range(5):
        (graph, *_) = space.graphs(space.sample(random.Random(seed)))
        svg = ET.fromstring(draw_graph(graph, "d").svg)
        left, top, width, height = map(float, svg.attrib["viewBox"].split())
        for rect in svg.iter(f"{SVG}rect"):
            x, y, wide, high = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
            assert left <= x and x + wide <= left + width
            assert top <= y and y + high <= top + height


def test_nodes_do_not_overlap() -> None:
    for name in swap.spaces.names():
        space = swap.spaces.get(name)
        for graph in space.graphs(space.sample(random.Random(1))):
            svg = ET.fromstring(draw_graph(graph, "d").svg)
            boxes = []
            for rect in svg.iter(f"{SVG}rect"):
                if rect.get("class") == "node":
                    x, y, wide, high = (
                        float(rect.attrib[key]) for key in ("x", "y", "width", "height")
                    )
                    boxes.append(Box(x + wide / 2, y + high / 2, wide, high))
            assert len(boxes) == len(graph.nodes)
            for place, box in enumerate(boxes):
                assert all(box.overlap(other) == 0 for other in boxes[:place])


def test_rows_of_a_long_chain() -> None:
    nodes = tuple(map(str, range(15)))
    graph = Graph("chain", nodes, tuple((k, k + 1, "") for k in range(14)))
    assert len({row for _, row in places_of(graph)}) == 3


def test_labels_of_crossing_edges_stand_apart() -> None:
    """The best cell of NAS-Bench-201's: two long edges run into its last node side by side."""
    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    (graph,) = swap.spaces.get("nasbench201").graphs(cell)
    svg = ET.fromstring(draw_graph(graph, "d").svg)
    texts = [one for one in svg.iter(f"{SVG}text") if one.text not in graph.nodes]
    assert len(texts) == 6
    boxes = [
        Box(float(one.attrib["x"]), float(one.attrib["y"]), 6.0 * len(one.text or "") + 12, 12)
        for one in texts
    ]
    for place, box in enumerate(boxes):
        assert all(box.overlap(other) == 0 for other in boxes[:place])
