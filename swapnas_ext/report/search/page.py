"""What a search found, as a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from swapnas_ext.correlation import caveats
from swapnas_ext.report.search.contents import (
    best_so_far,
    columns,
    distinct_columns,
    front_columns,
    head,
    precision,
    shown_rows,
)
from swapnas_ext.report.search.failures import grouped_failures
from swapnas_ext.report.shared.charts import draw_curve, draw_front
from swapnas_ext.report.shared.drawing import draw_graph
from swapnas_ext.report.shared.page import (
    figure,
    html_table,
    page,
    paragraph,
    settings_details,
)
from swapnas_ext.search import cost_of

if TYPE_CHECKING:
    from swapnas_ext.search import Distinct, Ranked, SearchResult
    from swapnas_ext.spaces import SearchSpace

_DRAWN = 3
"""How many architectures are drawn."""
_FRONT = 100
"""How many architectures of the front are listed."""
_FAILURES = 100
"""How many failures are listed."""


def to_page(
    result: SearchResult,
    about: dict[str, Any],
    space: SearchSpace | None,
    *,
    top: int,
    distinct: Sequence[Distinct] | None = None,
) -> str:
    """A page with the best architectures, the course of the search, scores by size, failures and settings.

    Architectures are drawn, and written in the formats of other code bases, where their ``space`` is known.
    """
    rows, targets = shown_rows(result, top)
    shown = columns(rows, targets)
    if distinct is not None:
        rows, shown = [group.ranked for group in distinct], distinct_columns(distinct)
    lines = (*head(result, about), *caveats(result.ranked()))
    parts = [paragraph(line) for line in lines]
    if rows:
        parts += [_best(shown), _charts(result, rows)]
        if space is not None:
            parts += [_architecture(place, row, space) for place, row in enumerate(rows)]
    parts += [_failures(result), settings_details(about)]
    return page("SWAP-NAS search", parts)


def _best(shown: Mapping[str, Sequence[str]]) -> str:
    cells = {
        escape(heading): [escape(text) for text in column] for heading, column in shown.items()
    }
    cells["architecture"] = [f"<code>{text}</code>" for text in cells["architecture"]]
    return html_table(cells)


def _charts(result: SearchResult, rows: list[Ranked]) -> str:
    by_number = sorted(result.ranked(), key=lambda row: row.candidate.number)
    curve = draw_curve(
        best_so_far(result), [(row.candidate.number, row.score) for row in by_number]
    )
    cost = cost_of(result.objective)
    front = result.front
    has_objective = bool((result.settings.get("search") or {}).get("objective"))

    def points(of: Sequence[Ranked]) -> list[tuple[float, float]]:
        """Costs and scores; without an objective, the scores before size control."""
        found = ((cost.recorded(row.candidate), row) for row in of)
        return [
            (at / cost.scale, row.score if has_objective else row.candidate.score)
            for at, row in found
            if at is not None
        ]

    drawn = draw_front(
        points(by_number), points(front), points(rows), cost=f"{cost.title}, {cost.unit}"
    )
    listed = ""
    if has_objective:
        table = _best(front_columns(front[:_FRONT], result.objective))
        told = "".join(paragraph(line) for line in precision(result))
        listed = f"<h2>The front of {escape(cost.title)} and score</h2>{table}{told}"
    return (
        "<h2>The search</h2>"
        + figure(curve, "scores, and the best so far")
        + figure(drawn, f"score against {cost.title}")
        + listed
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
        f"<li><code>{escape(group.architecture)}</code>"
        f"{f' (and {group.count - 1:,} alike)' if group.count > 1 else ''}: {escape(group.error)}</li>"
        for group in grouped_failures(failed)[:_FAILURES]
    )
    return f"<h2>{len(failed)} could not be scored</h2><ul>{items}</ul>"
