"""Compares scores with the accuracies of a benchmark table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from swapnas_ext import measures
from swapnas_ext._util import (
    SameWithNan,
    bar_in_notebook,
    json_document,
    notebook_table,
    read_document,
    renamed,
)
from swapnas_ext.correlation.accuracy_table import AccuracyTable, Row
from swapnas_ext.correlation.comparisons import Comparison, compare
from swapnas_ext.correlation.ranking import Ranking, rank
from swapnas_ext.search import Candidate, Control, SearchResult, size_control
from swapnas_ext.spaces import SearchSpace

RAW = "SWAP-Score"
REGULARISED = "size-regularised"
PARAMETERS = "parameters"
FLOPS = "FLOPs"


@dataclass(frozen=True)
class ScoredRow:
    """A row of the benchmark table with its score.

    Attributes:
        candidate: the scored architecture that has the same canonical form.
        parameters: how many parameters the row's final network has.
    """

    row: Row
    candidate: Candidate
    parameters: int


@dataclass(frozen=True, eq=False, repr=False)
class Correlations(SameWithNan):
    """How well the scores of a benchmark table's architectures rank its accuracies.

    Attributes:
        rows: rows that have a score.
        failed: rows that could not be scored; ``candidate.outcome.error`` says why.
        control: mu and sigma of the size-regularised score; None where they could not be calibrated.
        repeats: how many repeats the scores are means of.
        rankings: one for each predictor, scores first, baselines last.
        comparisons: of each score with the first one, and with the number of parameters.
    """

    table: AccuracyTable
    rows: Sequence[ScoredRow]
    failed: Sequence[ScoredRow]
    control: Control | None
    repeats: int
    rankings: Sequence[Ranking]
    comparisons: Sequence[Comparison] = ()

    def _title(self) -> str:
        failed = f", {len(self.failed):,} failed" if self.failed else ""
        return f"Correlations {self.table.name}, {self.table.accuracy}: {len(self.rows):,} rows{failed}"

    def __repr__(self) -> str:
        told = ", ".join(f"{ranking.name} {ranking.rho}" for ranking in self.rankings)
        return f"<{self._title()}; Spearman's rho: {told}>"

    def _repr_html_(self) -> str:
        columns = {
            "predictor": [ranking.name for ranking in self.rankings],
            "rows": [f"{ranking.rows:,}" for ranking in self.rankings],
            "Spearman's rho": [str(ranking.rho) for ranking in self.rankings],
            "Kendall's tau": [str(ranking.tau) for ranking in self.rankings],
            "Pearson's r": [str(ranking.r) for ranking in self.rankings],
        }
        return notebook_table(self._title(), columns)

    def to_json(self) -> str:
        """All of the correlations as JSON, see `from_json`."""
        return json_document(self)

    @classmethod
    def from_json(cls, text: str) -> Correlations:
        """What `to_json` wrote. Raises ValueError for any other text, naming the field that is wrong."""
        return read_document(text, cls)[0]

    @property
    def predictors(self) -> dict[str, list[float]]:
        """A value for each row by the predictor's name, higher for what should be more accurate.

        Scores, parameters and FLOPs are natural logarithms. FLOPs are those of the network that was scored for
        the row.
        """
        return predictors(self.rows, self.control)


def predictors(rows: Sequence[ScoredRow], control: Control | None) -> dict[str, list[float]]:
    """The values of `Correlations.predictors`; those of the size-regularised score only with ``control``."""
    values = _scores(rows)
    if control is not None:
        first = next(iter(values.values()))
        values[REGULARISED] = [
            score + control.log_factor(row.parameters)
            for score, row in zip(first, rows, strict=True)
        ]
    values[PARAMETERS] = [math.log(max(1, row.parameters)) for row in rows]
    flops = [None if (outcome := row.candidate.outcome) is None else outcome.flops for row in rows]
    values[FLOPS] = [math.nan if count is None else math.log(max(1, count)) for count in flops]
    for name in rows[0].row.baselines if rows else ():
        label = f"{name} (table)" if name in values else name
        values[label] = [row.row.baselines[name] for row in rows]
    return values


def _scores(rows: Sequence[ScoredRow]) -> dict[str, list[float]]:
    """Logarithms of scores by title: of the published score where patterns were counted, and of what was
    measured where that is something else; of each of several measures, NaN where it is missing."""
    several = [row.candidate.by_measure for row in rows]
    if any(several):
        titles = measures.titles_of(dict.fromkeys(name for found in several for name in found))
        return {
            title: [found.get(name, {}).get("log_score", math.nan) for found in several]
            for name, title in titles.items()
        }
    values = {}
    if not any(math.isnan(row.candidate.patterns) for row in rows):
        values[RAW] = [math.log(row.candidate.patterns) for row in rows]
    measured = dict.fromkeys(row.candidate.outcome.measure for row in rows if row.candidate.outcome)
    if len(measured) == 1:
        title = measures.title_of(next(iter(measured)) or "score")
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
    """Correlates scores with the accuracies of a benchmark table.

    Args:
        scores: what `score_listed` returned for the table's architectures.
        repeats: how many repeats the scores are means of.
        control: mu and sigma. By default they are calibrated with the scores and sizes of the table's
            architectures. Calibration does not look at accuracies.
        seed: draws the resamples of the intervals.
        on_progress: is called after each predictor, with how many are done and how many there are. None: in a notebook,
            a bar is shown.
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
    tell = None if on_progress is None else lambda pair: on_progress(*pair)
    with bar_in_notebook("intervals", tell, lambda pair: (*pair, "")) as shown:
        rankings = []
        for name in values:
            rankings.append(rank(name, values[name], accuracies, seed))
            if shown.on_progress is not None:
                shown.on_progress((len(rankings), len(values)))
        comparisons = [
            compared
            for name, other in _pairs(list(_scores(rows)))
            if (compared := compare(name, other, values, accuracies, seed)) is not None
        ]
        shown.result = found = Correlations(
            table, rows, failed, control, repeats, rankings, comparisons
        )
    return found


def _pairs(scores: Sequence[str]) -> list[tuple[str, str]]:
    """Which predictors to compare."""
    with_first = [(name, scores[0]) for name in scores[1:]]
    with_size = [(name, PARAMETERS) for name in scores if name != PARAMETERS]
    return with_size + [pair for pair in with_first if pair not in with_size]


def scored_rows(
    table: AccuracyTable, space: SearchSpace, scores: SearchResult
) -> tuple[list[ScoredRow], list[ScoredRow]]:
    """The rows that have a score, and the rows that could not be scored."""
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
    """Calibrates size control for ranking, from scores and sizes alone.

    None where all scores or all sizes are the same.
    """
    try:
        name, log_scores = next(iter(_scores(rows).items()))
        known = [place for place, score in enumerate(log_scores) if math.isfinite(score)]
        return size_control.for_ranking(
            [log_scores[place] for place in known],
            [rows[place].parameters for place in known],
            heavy_tails=name != RAW and any(row.candidate.has_heavy_tails for row in rows),
        )
    except ValueError:
        return None


def _why(failed: Sequence[ScoredRow]) -> str:
    outcome = failed[0].candidate.outcome if failed else None
    return (outcome and outcome.error) or "interrupted"
