"""Scores as rows, and rows as JSON or CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
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
        log_scores: of several measures, the natural logarithm of the score of each, None where it is missing; empty
            for one measure.
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
    log_scores: Mapping[str, float | None] = field(default_factory=dict)


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
        log_scores={
            name: found.get("log_score")
            for name, found in score.measurement.details.get("measures", {}).items()
        },
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def best_first(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """Rows sorted by the logarithm of the score, which differs even where regularised scores underflow to 0. Those
    that the first of several measures could not score come last."""

    def order(row: ScoreRow) -> tuple[bool, float]:
        first = next(iter(row.log_scores.values()), row.log_score)
        return first is not None, row.log_score

    return sorted(rows, key=order, reverse=True)


def to_json(rows: Sequence[ScoreRow]) -> str:
    """A list of objects; of several measures they have ``log_scores``."""
    found = [asdict(row) for row in rows]
    for row in found:
        if not row["log_scores"]:
            del row["log_scores"]
    return json_text(found)


def to_csv(rows: Sequence[ScoreRow]) -> str:
    """A header line, and a line for each row. Of several measures, each has a column ``log_score_NAME``."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    columns = [column.name for column in fields(ScoreRow) if column.name != "log_scores"]
    names = list(dict.fromkeys(name for row in rows for name in row.log_scores))
    writer.writerow([*columns, *(f"log_score_{name}" for name in names)])
    for row in rows:
        cells = [getattr(row, column) for column in columns]
        writer.writerow(map(quoted, [*cells, *(row.log_scores.get(name) for name in names)]))
    return buffer.getvalue()
