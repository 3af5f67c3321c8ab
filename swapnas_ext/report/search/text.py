"""What a search found, as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from swapnas_ext.report.search.contents import (
    best_so_far,
    beyond_limits,
    columns,
    shown_rows,
    summary,
)
from swapnas_ext.report.shared.text import as_text

if TYPE_CHECKING:
    from swapnas_ext.search import Ranked, SearchResult
    from swapnas_ext.spaces import SearchSpace

_FRONT = 6
"""Rows of the Pareto front in a terminal."""


def to_text(
    result: SearchResult,
    *,
    top: int,
    about: dict[str, Any] | None = None,
    space: SearchSpace | None = None,
) -> str:
    """The best, with more of the run where ``about`` is given."""
    parts = []
    if about is not None:
        parts.append("\n".join([summary(result, about), *beyond_limits(result, about)]) + "\n\n")
    rows, targets = shown_rows(result, top)
    parts.append(_best(rows, targets))
    if about is not None:
        parts.append("\n" + as_text(_curve(result)) + "\n" + as_text(_front(result)))
        if space is not None and rows:
            parts.append(_formats(rows[0], space))
        parts.append(_failures(result))
    return "".join(parts)


def _best(rows: Sequence[Ranked], targets: Sequence[float]) -> str:
    cells = columns(rows, targets)
    table = Table(box=None, pad_edge=False)
    for heading in list(cells)[:-1]:
        table.add_column(heading, justify="right")
    table.add_column("architecture", overflow="fold", min_width=20)
    for line in zip(*cells.values(), strict=True):
        table.add_row(*line)
    return as_text(table)


def _curve(result: SearchResult) -> Table:
    curve = best_so_far(result)
    table = Table(box=None, pad_edge=False)
    table.add_column("after", justify="right")
    table.add_column("best", justify="right")
    total = len(result.candidates)
    shares = (0.01, 0.03, 0.1, 0.3, 1.0)
    for until in dict.fromkeys(max(1, round(share * total)) for share in shares):
        known = [score for number, score in curve if number < until]
        table.add_row(f"{until:,}", f"{known[-1]:.6g}" if known else "-")
    return table


def _front(result: SearchResult) -> Table:
    front = result.front
    table = Table(box=None, pad_edge=False)
    table.add_column("params", justify="right")
    table.add_column("best score up to this size", justify="right")
    shown = min(len(front), _FRONT)
    for place in range(shown):
        row = front[round(place * (len(front) - 1) / max(1, shown - 1))]
        table.add_row(f"{row.parameters:,}", f"{row.candidate.score:.6g}")
    return table


def _formats(row: Ranked, space: SearchSpace) -> str:
    formats = space.formats(row.architecture)
    if not formats:
        return ""
    lines = "".join(f"  {name}:\n    {text}\n" for name, text in formats.items())
    return f"\nthe first one, for\n{lines}"


def _failures(result: SearchResult) -> str:
    failed = result.failed
    if not failed:
        return ""
    lines = [f"\n{len(failed)} could not be scored:\n"]
    for candidate in failed[:5]:
        assert candidate.outcome is not None
        error = (candidate.outcome.error or "").splitlines()[0]
        lines.append(f"  {candidate.architecture}: {error}\n")
    return "".join(lines)
