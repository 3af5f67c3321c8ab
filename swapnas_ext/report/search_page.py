"""What a search found, as one self-contained HTML page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from swapnas_ext.report.drawing import draw_curve, draw_graph, draw_sizes, to_svg
from swapnas_ext.report.search_table import best_so_far, columns, shown_rows, summary

if TYPE_CHECKING:
    from swapnas_ext.search import Ranked, SearchResult
    from swapnas_ext.spaces import SearchSpace

_DRAWN = 3
"""Architectures of which there are pictures."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 1080px; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #e4e7eb; vertical-align: top }
th:last-child, td:last-child { text-align: left }
code, pre { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap }
figure { display: inline-block; margin: 0 1rem 1rem 0 } svg { max-width: 100%; height: auto }
details { margin: .6rem 0 } summary { cursor: pointer }
"""


def to_page(
    result: SearchResult, about: dict[str, Any], space: SearchSpace | None, *, top: int
) -> str:
    """The best with their drawings and formats, the curve of the search, score against size, failures,
    settings. Nothing in it is fetched from elsewhere."""
    rows, targets = shown_rows(result, top)
    parts = [f"<h1>SWAP-NAS search</h1><p>{escape(summary(result, about))}</p>"]
    if rows:
        parts += [_table(rows, targets), _pictures(result, rows)]
        if space is not None:
            parts += [_architecture(place, row, space) for place, row in enumerate(rows)]
    parts += [_failures(result), _settings(about)]
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>SWAP-NAS search</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _table(rows: list[Ranked], targets: Sequence[float]) -> str:
    cells = columns(rows, targets)
    cells["architecture"] = [f"<code>{escape(text)}</code>" for text in cells["architecture"]]
    lines = ["".join(f"<th>{heading}</th>" for heading in cells)]
    lines += [
        "".join(f"<td>{cell}</td>" for cell in line) for line in zip(*cells.values(), strict=True)
    ]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _pictures(result: SearchResult, rows: list[Ranked]) -> str:
    by_number = sorted(result.ranked(), key=lambda row: row.candidate.number)
    curve = draw_curve(
        best_so_far(result), [(row.candidate.number, row.score) for row in by_number]
    )
    sizes = draw_sizes(
        [(row.parameters, row.candidate.patterns) for row in by_number],
        [(row.parameters, row.candidate.patterns) for row in result.front],
        [(row.parameters, row.candidate.patterns) for row in rows],
    )
    return (
        "<h2>The search</h2>"
        f"<figure>{to_svg(curve)}<figcaption>scores, and the best so far</figcaption></figure>"
        f"<figure>{to_svg(sizes)}<figcaption>score against size</figcaption></figure>"
    )


def _architecture(place: int, row: Ranked, space: SearchSpace) -> str:
    formats = "".join(
        f"<p>{escape(name)}</p><pre>{escape(text)}</pre>"
        for name, text in space.formats(row.architecture).items()
    )
    drawn = ""
    if place < _DRAWN:
        graphs = space.graphs(row.architecture)
        drawn = "".join(f"<figure>{to_svg(draw_graph(graph))}</figure>" for graph in graphs)
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


def _settings(about: dict[str, Any]) -> str:
    text = json.dumps(about, indent=2)
    return f"<details><summary>settings</summary><pre>{escape(text)}</pre></details>"
