"""Pictures of architectures and searches."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET

import pytest

import swapnas_ext as swap
from swapnas_ext.report.shared.charts import draw_curve, draw_sizes
from swapnas_ext.report.shared.drawing import draw_graph, to_svg
from swapnas_ext.spaces import Graph


@pytest.mark.parametrize("name", swap.spaces.names())
def test_all_spaces_can_be_drawn_and_written_for_others(name: str) -> None:
    space = swap.spaces.get(name)
    for seed in range(3):
        architecture = space.sample(random.Random(seed))
        for graph in space.graphs(architecture):
            assert all(0 <= source < target < len(graph.nodes) for source, target, _ in graph.edges)
            text = to_svg(draw_graph(graph))
            ET.fromstring(text)
        assert space.graphs(architecture)
        assert all(isinstance(text, str) for text in space.formats(architecture).values())


def test_a_picture_is_the_same_each_time() -> None:
    graph = Graph("cell <&>", ("in", "a", "out"), ((0, 1, "conv"), (0, 1, "pool"), (1, 2, "")))
    first, second = (to_svg(draw_graph(graph)) for _ in range(2))
    assert ET.fromstring(first).tag.endswith("svg")
    assert first == second


def test_rows_of_a_long_chain() -> None:
    nodes = tuple(map(str, range(15)))
    graph = Graph("chain", nodes, tuple((k, k + 1, "") for k in range(14)))
    axes = draw_graph(graph).axes[0]
    heights = {text.get_position()[1] for text in axes.texts if text.get_text() in nodes}
    assert len(heights) == 3


def test_plots() -> None:
    for figure in (
        draw_curve([(0, 1.0), (5, 2.0)], [(0, 1.0), (3, 0.5), (5, 2.0)]),
        draw_sizes([(10, 1.0), (20, 2.0)], [(10, 1.0)], [(20, 2.0)]),
    ):
        ET.fromstring(to_svg(figure))
