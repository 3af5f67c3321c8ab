"""Scores beside accuracies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from swapnas_ext import measures
from swapnas_ext._util import renamed
from swapnas_ext.correlation.ranking import Ranking, rank
from swapnas_ext.correlation.table import AccuracyTable, Row
from swapnas_ext.search import Candidate, Control, SearchResult, size_control
from swapnas_ext.spaces import SearchSpace

RAW = "SWAP-Score"
REGULARISED = "size-regularised"
PARAMETERS = "parameters"
FLOPS = "FLOPs"


@dataclass(frozen=True)
class ScoredRow:
    """A row of the table, and what its architecture scored.

    Attributes:
        candidate: of its canonical form.
        parameters: of its final network.
    """

    row: Row
    candidate: Candidate
    parameters: int


@dataclass(frozen=True)
class Correlations:
    """A table's scores, and how well they rank its accuracies.

    Attributes:
        rows: that were scored.
        failed: those that could not be; ``candidate.outcome.error`` says why.
        control: what regularises by size; None where it could not be calibrated.
        repeats: of the scores.
        rankings: of the scores, then of the baselines.
    """

    table: AccuracyTable
    rows: Sequence[ScoredRow]
    failed: Sequence[ScoredRow]
    control: Control | None
    repeats: int
    rankings: Sequence[Ranking]

    @property
    def predictors(self) -> dict[str, list[float]]:
        """By name, a value for each row, higher for what should be more accurate. Scores, parameters and
        FLOPs (of the network that was scored for the row) as natural logarithms."""
        return predictors(self.rows, self.control)


def predictors(rows: Sequence[ScoredRow], control: Control | None) -> dict[str, list[float]]:
    values = _scores(rows)
    if control is not None:
        first = next(iter(values.values()))
        values[REGULARISED] = [
            score + control.log_factor(row.parameters)
            for score, row in zip(first, rows, strict=True)
        ]
    values[PARAMETERS] = [math.log(max(1, row.parameters)) for row in rows]
    flops = [row.candidate.outcome and row.candidate.outcome.flops for row in rows]
    values[FLOPS] = [math.log(max(1, count)) if count is not None else math.nan for count in flops]
    for name in rows[0].row.baselines if rows else ():
        label = f"{name} (table)" if name in values else name
        values[label] = [row.row.baselines[name] for row in rows]
    return values


def _scores(rows: Sequence[ScoredRow]) -> dict[str, list[float]]:
    """Logarithms of the published score, where patterns were counted, and of what was measured."""
    values = {}
    if not any(math.isnan(row.candidate.patterns) for row in rows):
        values[RAW] = [math.log(row.candidate.patterns) for row in rows]
    names = dict.fromkeys(row.candidate.outcome.measure for row in rows if row.candidate.outcome)
    if len(names) == 1:
        title = measures.title_of(next(iter(names)) or "score")
        values.setdefault(title, [row.candidate.log_score for row in rows])
    return values


def correlate(
    table: AccuracyTable,
    space: SearchSpace,
    scores: SearchResult,
    *,
    repeats: int = 1,
    control: Control | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Correlations:
    """Correlates what `score_listed` made of a table's architectures with their accuracies.

    Args:
        repeats: that the scores are means of.
        control: mu and sigma. By default they are calibrated with the scores and sizes of the table's
            architectures; no accuracies are looked at.
        seed: of the resamples for the intervals.
        on_progress: is called after each predictor, with how many are compared, and of how many.
        report: the old name of ``on_progress``.

    Raises:
        ValueError: nothing was scored.
        ImportError: SciPy is not installed.
    """
    on_progress = renamed(on_progress, report, to="on_progress", was="report")
    rows, failed = scored_rows(table, space, scores)
    if not rows:
        raise ValueError(f"none of {len(failed):,} architectures could be scored: {_why(failed)}")
    control = control or calibrated(rows)
    accuracies = [row.row.accuracy for row in rows]
    values = predictors(rows, control)
    rankings = []
    for name in values:
        rankings.append(rank(name, values[name], accuracies, seed))
        if on_progress is not None:
            on_progress(len(rankings), len(values))
    return Correlations(table, rows, failed, control, repeats, rankings)


def scored_rows(
    table: AccuracyTable, space: SearchSpace, scores: SearchResult
) -> tuple[list[ScoredRow], list[ScoredRow]]:
    """Rows with a score, and rows whose networks could not be scored."""
    final = space.final()
    by_form = {candidate.form: candidate for candidate in scores.candidates}
    known = [
        ScoredRow(row, by_form[form], final.size(row.architecture))
        for row in table.rows
        if (form := space.canonical(row.architecture)) in by_form
    ]
    scored = [row for row in known if row.candidate.scored]
    return scored, [row for row in known if not row.candidate.scored]


def calibrated(rows: Sequence[ScoredRow]) -> Control | None:
    """Size control for ranking, from scores and sizes alone; None where they are all the same."""
    try:
        name, log_scores = next(iter(_scores(rows).items()))
        return size_control.for_ranking(
            log_scores,
            [row.parameters for row in rows],
            heavy_tails=name != RAW and any(row.candidate.has_heavy_tails for row in rows),
        )
    except ValueError:
        return None


def _why(failed: Sequence[ScoredRow]) -> str:
    outcome = failed[0].candidate.outcome if failed else None
    return (outcome and outcome.error) or "interrupted"
