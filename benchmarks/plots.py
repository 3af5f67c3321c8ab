"""Pictures for documents, drawn with matplotlib: pages have charts of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from swapnas_ext.report.shared.graph_places import Place, places_of

if TYPE_CHECKING:
    from swapnas_ext.correlation import OperationEffect
    from swapnas_ext.spaces import Graph

INK = "#1f2933"
ACCENT = "#c2410c"
MUTED = "#9aa5b1"
_COLUMN, _ROW = 2.4, 1.5
"""Distance of neighbouring nodes in a row, and of neighbouring rows."""


def draw_sizes(
    scores: Sequence[tuple[int, float]],
    front: Sequence[tuple[int, float]] = (),
    chosen: Sequence[tuple[int, float]] = (),
) -> Figure:
    """Unregularised scores against numbers of parameters, with the Pareto front and the chosen architectures."""
    scores, front, chosen = (
        [(size / 1e6, score) for size, score in rows] for rows in (scores, front, chosen)
    )
    figure, axes = _axes("parameters, millions", "score")
    axes.scatter(*_columns(scores), s=5, color=MUTED, alpha=0.5, lw=0)
    if front:
        axes.step(*_columns(front), where="post", color=INK, lw=1.2, label="Pareto front")
    if chosen:
        axes.scatter(*_columns(chosen), s=45, color=ACCENT, marker="*", zorder=3, label="best")
        axes.legend(frameon=False, fontsize=8)
    return figure


def draw_operations(groups: Mapping[str, Sequence[OperationEffect]], shown: int = 12) -> Figure:
    """How far architectures are above or below the mean, by how often an operation occurs in them.

    There is a line of panels for each group, such as score and accuracy. Its panels are the strongest operations of
    the first group, strongest first.
    """
    strongest = [effect.operation for effect in next(iter(groups.values()))[:shown]]
    figure = Figure(figsize=(1.1 * max(4, len(strongest)) + 1, 1.9 * len(groups) + 0.7))
    panels = figure.subplots(len(groups), len(strongest), sharey="row", squeeze=False)
    for line, (name, effects) in zip(panels, groups.items(), strict=True):
        by_name = {effect.operation: effect for effect in effects}
        line[0].set_ylabel(f"{name}, std", parse_math=False)
        for axes, operation in zip(line, strongest, strict=True):
            axes.axhline(0, color=MUTED, lw=0.8)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=7)
            if operation in by_name:
                effect = by_name[operation]
                axes.plot(effect.counts, effect.means, color=ACCENT, marker="o", ms=3, lw=1.2)
                axes.set_xticks([effect.counts[0], effect.counts[-1]])
    for axes, operation in zip(panels[0], strongest, strict=True):
        title = operation.replace(" ", "\n", 1)
        axes.set_title(title, fontsize=7, color=INK, parse_math=False)
    return figure


def draw_graph(graph: Graph) -> Figure:
    """Draws nodes in layers, and edges with their labels. A long chain is drawn in rows.

    The layer of a node is the length of the longest way from the inputs to it.
    """
    places = [(_COLUMN * column, -_ROW * row) for column, row in places_of(graph)]
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


def _axes(x: str, y: str, width: float = 5.6) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, 3.6))
    axes = figure.add_subplot()
    axes.set_xlabel(x, parse_math=False)
    axes.set_ylabel(y, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes


def _columns(rows: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in rows], [y for _, y in rows]
