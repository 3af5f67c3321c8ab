"""Scores as rows, and those as JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

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
