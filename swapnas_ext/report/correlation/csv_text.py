"""Scores beside accuracies, as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from swapnas_ext._util import quoted

if TYPE_CHECKING:
    from swapnas_ext.correlation import Correlations


def to_csv(found: Correlations) -> str:
    """A line an architecture; the columns of predictors as `Correlations.predictors`."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")

    def write(cells: Iterable[object]) -> None:
        writer.writerow(map(quoted, cells))

    predictors = found.predictors
    write(
        [
            *("row", "architecture", "scored_as", found.table.accuracy),
            *("patterns", "patterns_std", "neurons", "saturation", "params", "flops", "seconds"),
            *predictors,
            "error",
        ]
    )
    values = zip(*predictors.values(), strict=True)
    for scored, numbers in zip(found.rows, values, strict=True):
        outcome = scored.candidate.outcome
        assert outcome is not None
        write(
            [
                *(scored.row.place, scored.row.architecture, scored.candidate.architecture),
                *(scored.row.accuracy, outcome.patterns, outcome.patterns_std, outcome.neurons),
                *(outcome.saturation, scored.parameters, outcome.flops, outcome.seconds),
                *("" if math.isnan(number) else f"{number:.9g}" for number in numbers),
                "",
            ]
        )
    for scored in found.failed:
        outcome = scored.candidate.outcome
        write(
            [
                *(scored.row.place, scored.row.architecture, scored.candidate.architecture),
                scored.row.accuracy,
                *[""] * (7 + len(predictors)),
                outcome and outcome.error,
            ]
        )
    return buffer.getvalue()
