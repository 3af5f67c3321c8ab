"""What a search found, as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from swapnas_ext.report.search.contents import (
    best_so_far,
    beyond_limits,
    columns,
    shown_rows,
    summary,
)
from swapnas_ext.report.shared.charts import draw_curve, draw_sizes
from swapnas_ext.report.shared.drawing import draw_graph
from swapnas_ext.report.shared.page import figure, html_table, page, settings_details

if TYPE_CHECKING:
    from swapnas_ext.search import Ranked, SearchResult
    from swapnas_ext.spaces import SearchSpace

_DRAWN = 3
"""Architectures of which there are pictures."""


def to_page(
    result: SearchResult, about: dict[str, Any], space: SearchSpace | None, *, top: int
) -> str:
    """The best with their drawings and formats, the curve of the search, score against size, failures,
    settings. Nothing in it is fetched from elsewhere."""
    rows, targets = shown_rows(result, top)
    lines = [summary(result, about), *beyond_limits(result, about)]
    parts = [f"<p>{escape(line)}</p>" for line in lines]
    if rows:
        parts += [_table(rows, targets), _pictures(result, rows)]
        if space is not None:
            parts += [_architecture(place, row, space) for place, row in enumerate(rows)]
    parts += [_failures(result), settings_details(about)]
    return page("SWAP-NAS search", parts)


def _table(rows: list[Ranked], targets: Sequence[float]) -> str:
    cells = columns(rows, targets)
    cells["architecture"] = [f"<code>{escape(text)}</code>" for text in cells["architecture"]]
    return html_table(cells)


def _pictures(result: SearchResult, rows: list[Ranked]) -> str:
    by_number = sorted(result.ranked(), key=lambda row: row.candidate.number)
    curve = draw_curve(
        best_so_far(result), [(row.candidate.number, row.score) for row in by_number]
    )
    sizes = draw_sizes(
        [(row.parameters, row.candidate.score) for row in by_number],
        [(row.parameters, row.candidate.score) for row in result.front],
        [(row.parameters, row.candidate.score) for row in rows],
    )
    return (
        "<h2>The search</h2>"
        + figure(curve, "scores, and the best so far")
        + figure(sizes, "score against size")
    )


def _architecture(place: int, row: Ranked, space: SearchSpace) -> str:
    formats = "".join(
        f"<p>{escape(name)}</p><pre>{escape(text)}</pre>"
        for name, text in space.formats(row.architecture).items()
    )
    drawn = ""
    if place < _DRAWN:
        graphs = space.graphs(row.architecture)
        drawn = "".join(figure(draw_graph(graph)) for graph in graphs)
    if not formats and not drawn:
        return ""
    title = f"<h2>{place + 1}: score {row.score:.6g}, {row.parameters:,} parameters</h2>"
    if formats:
        formats = f"<details><summary>for other code bases</summary>{formats}</details>"
    return title + drawn + formats


def _failures(result: SearchResult) -> str:
    failed = result.failed
    if not failed:
        return ""
    items = "".join(
        f"<li><code>{escape(candidate.architecture)}</code>: "
        f"{escape((candidate.outcome and candidate.outcome.error) or '')}</li>"
        for candidate in failed[:100]
    )
    return f"<h2>{len(failed)} could not be scored</h2><ul>{items}</ul>"
