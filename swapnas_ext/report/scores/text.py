"""Scores as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from swapnas_ext.report.scores.rows import ScoreRow
from swapnas_ext.report.shared.text import as_text, kind_text


def to_text(rows: Sequence[ScoreRow], first_rank: int = 1) -> str:
    """Ranks, scores and architectures."""
    table = Table(box=None, pad_edge=False)
    headings = ["rank", "score", "neurons", "saturation", "params", "ms"]
    kinds = any(row.ternary for row in rows)
    for heading in headings[:3] + ["patterns"] * kinds + headings[3:]:
        table.add_column(heading, justify="right")
    table.add_column("architecture", overflow="fold", min_width=20)
    for rank, row in enumerate(rows, first_rank):
        spread = "" if row.score_std is None else f" ± {_spread_text(row.score_std)}"
        table.add_row(
            str(rank),
            f"{row.score:.6g}{spread}",
            f"{row.neurons:,}",
            *([kind_text(row.ternary)] if kinds else ()),
            "" if row.saturation is None else f"{row.saturation:.2f}",
            f"{row.parameters:,}",
            f"{1e3 * row.score_seconds:.0f}",
            row.architecture,
        )
    return as_text(table)


def _spread_text(spread: float) -> str:
    return f"{spread:.0f}" if 1 <= spread < 1e6 else f"{spread:.2g}"
