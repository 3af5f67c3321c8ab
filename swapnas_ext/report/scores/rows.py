"""Scores as rows, and rows as JSON or CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from swapnas_ext._util import quoted
from swapnas_ext.report.shared.json_text import json_text

if TYPE_CHECKING:
    from swapnas_ext.scoring import SwapScore


@dataclass(frozen=True)
class ScoreRow:
    """One scored architecture. None stands for what the measure does not tell.

    Attributes:
        log_score: natural logarithm of the score.
        score_std: standard deviation of the score over the repeats.
        patterns_mean, patterns_std: mean and standard deviation of the number of distinct patterns.
        ternary: whether an activation has three states.
        build_seconds, score_seconds: how long building and scoring the network took.
    """

    architecture: str
    score: float
    log_score: float
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
    score_std: float | None


def score_row(architecture: str, score: SwapScore) -> ScoreRow:
    """The row of one score."""
    return ScoreRow(
        architecture=architecture,
        score=score.value,
        log_score=score.log_value,
        score_std=_known(score.spread * score.factor),
        patterns_mean=_known(score.mean),
        patterns_std=_known(score.std),
        repeats=score.repeats,
        samples=score.samples,
        neurons=score.neurons,
        saturation=_known(score.saturation),
        ternary=score.ternary,
        parameters=score.parameters,
        build_seconds=score.timing.build,
        score_seconds=score.timing.total - score.timing.build,
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def best_first(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """Rows sorted by the logarithm of the score, which differs even where regularised scores underflow to 0."""
    return sorted(rows, key=lambda row: row.log_score, reverse=True)


def to_json(rows: Sequence[ScoreRow]) -> str:
    """A list of objects."""
    return json_text([asdict(row) for row in rows])


def to_csv(rows: Sequence[ScoreRow]) -> str:
    """A header line, and a line for each row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(ScoreRow.__dataclass_fields__)
    writer.writerows(map(quoted, asdict(row).values()) for row in rows)
    return buffer.getvalue()
