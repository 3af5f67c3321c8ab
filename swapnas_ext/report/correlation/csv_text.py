"""Scores beside accuracies, as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from swapnas_ext._util import quoted

if TYPE_CHECKING:
    from swapnas_ext.correlation import Correlations
    from swapnas_ext.search import Candidate, Outcome


def to_csv(found: Correlations) -> str:
    """A header line, and a line for each row of the benchmark table; those that could not be scored come last.

    There are columns of patterns where they were counted, of what was measured where that is something else, and of
    saturation where the measure tells it. Columns of predictors have the values of `Correlations.predictors`. The last
    column tells why a row, or one of several measures of it, has no score.
    """
    measured = _measured([row.candidate for row in found.rows])
    predictors = found.predictors
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        map(
            quoted,
            [
                *("row", "architecture", "scored_as", found.table.accuracy),
                *measured,
                *("params", "flops", "seconds"),
                *predictors,
                "error",
            ],
        )
    )
    values = zip(*predictors.values(), strict=True)
    for place, (scored, numbers) in enumerate(zip(found.rows, values, strict=True)):
        outcome = _outcome(scored.candidate)
        cells = [
            *(scored.row.place, scored.row.architecture, scored.candidate.architecture),
            scored.row.accuracy,
            *(column[place] for column in measured.values()),
            *(scored.parameters, outcome.flops, outcome.seconds),
            *("" if math.isnan(number) else f"{number:.9g}" for number in numbers),
            _missing(scored.candidate),
        ]
        writer.writerow(map(quoted, cells))
    for scored in found.failed:
        cells = [
            *(scored.row.place, scored.row.architecture, scored.candidate.architecture),
            scored.row.accuracy,
            *[""] * (len(measured) + 3 + len(predictors)),
            scored.candidate.outcome and scored.candidate.outcome.error,
        ]
        writer.writerow(map(quoted, cells))
    return buffer.getvalue()


def _measured(candidates: Sequence[Candidate]) -> dict[str, list[object]]:
    """Columns of what was measured, by heading: a cell for each candidate."""
    outcomes = [_outcome(candidate) for candidate in candidates]
    columns: dict[str, list[object]] = {}
    if any(outcome.score != outcome.patterns for outcome in outcomes):
        columns["measured"] = [outcome.score for outcome in outcomes]
        columns["measured_std"] = [_std(outcome) for outcome in outcomes]
    if any(outcome.patterns is not None for outcome in outcomes):
        columns["patterns"] = [outcome.patterns for outcome in outcomes]
        columns["patterns_std"] = [outcome.patterns_std for outcome in outcomes]
    columns["neurons"] = [outcome.neurons for outcome in outcomes]
    if any(outcome.saturation is not None for outcome in outcomes):
        columns["saturation"] = [outcome.saturation for outcome in outcomes]
    return columns


def _std(outcome: Outcome) -> float | None:
    """Standard deviation of what was measured over the repeats; None where it is not known."""
    if outcome.spread is None or outcome.score is None:
        return None
    return outcome.spread * outcome.score


def _missing(candidate: Candidate) -> str:
    """Which of several measures could not read the network, and why."""
    return "; ".join(
        f"no {name}: {found['error']}"
        for name, found in candidate.by_measure.items()
        if "error" in found
    )


def _outcome(candidate: Candidate) -> Outcome:
    assert candidate.outcome is not None  # the candidate was scored
    return candidate.outcome
