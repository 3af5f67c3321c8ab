"""Scores as a terminal table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from swapnas_ext._util import quoted

if TYPE_CHECKING:
    from swapnas_ext.scoring import SwapScore


@dataclass(frozen=True)
class ScoreRow:
    """One scored architecture. Times in seconds, ``log_score`` the natural logarithm of the score."""

    architecture: str
    score: float
    log_score: float
    score_std: float | None
    patterns_mean: float | None
    patterns_std: float | None
    repeats: int
    samples: int
    neurons: int
    saturation: float | None
    ternary: bool
    parameters: int
    build_seconds: float
    score_seconds: float


def score_row(architecture: str, score: SwapScore) -> ScoreRow:
    return ScoreRow(
        architecture=architecture,
        score=score.value,
        log_score=score.log_value,
        score_std=score.spread * score.factor if score.repeats > 1 else None,
        patterns_mean=score.mean if score.patterns else None,
        patterns_std=score.std if len(score.patterns) > 1 else None,
        repeats=score.repeats,
        samples=score.samples,
        neurons=score.neurons,
        saturation=None if math.isnan(score.saturation) else score.saturation,
        ternary=score.ternary,
        parameters=score.parameters,
        build_seconds=score.timing.build,
        score_seconds=score.timing.total - score.timing.build,
    )


def best_first(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """Sorted by the logarithm, which tells scores apart where regularised ones underflow to 0."""
    return sorted(rows, key=lambda row: row.log_score, reverse=True)


def to_json(rows: Sequence[ScoreRow]) -> str:
    return json.dumps([asdict(row) for row in rows], indent=2) + "\n"


def to_csv(rows: Sequence[ScoreRow]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(ScoreRow.__dataclass_fields__)
    writer.writerows(map(quoted, asdict(row).values()) for row in rows)
    return buffer.getvalue()


def to_table(rows: Sequence[ScoreRow], first_rank: int = 1) -> str:
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


def kind_text(ternary: bool | None) -> str:
    """Of patterns."""
    return "" if ternary is None else "ternary" if ternary else "binary"


def columns_text(cells: Mapping[str, Sequence[str]]) -> str:
    """A table of cells by heading, the first column to the left."""
    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(cells):
        table.add_column(heading, justify="right" if place else "left")
    for line in zip(*cells.values(), strict=True):
        table.add_row(*line)
    return as_text(table)


def as_text(table: Table) -> str:
    """A table for a terminal, of its width; elsewhere in whole lines."""
    buffer = io.StringIO()
    width = None if sys.stdout.isatty() else 250
    Console(file=buffer, width=width, markup=False, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
