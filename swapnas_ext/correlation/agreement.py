"""Tells how far several measures of the same networks agree, how far each can be trusted, and how their best differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swapnas_ext._util import Values
from swapnas_ext.correlation.analysis import Repeatability, repeatability_of
from swapnas_ext.correlation.ranking import spearman
from swapnas_ext.measures import SIZES, titles_of
from swapnas_ext.search import Candidate

_SIZE = "final parameters"
"""The title of the number of parameters of the final networks, which are not always those that are scored."""


@dataclass(frozen=True)
class MeasureStanding:
    """One measure among others.

    Attributes:
        title: what tables call it.
        scored: how many networks have a score of it.
        missing: why the others have none, the most frequent reason; empty where none is missing.
        with_others: mean Spearman's rho with the other measures, without sizes; NaN without others.
        repeatability: None where it is not known.
        saturated: how many scores are saturated.
        shared: the part of its best tenth that is among the best tenth of the first measure; NaN for the first.
        best: the architecture with the highest score; empty without scores.
    """

    name: str
    title: str
    scored: int
    missing: str
    with_others: float
    repeatability: Repeatability | None
    saturated: int
    shared: float
    best: str


@dataclass(frozen=True)
class Agreement:
    """How several measures rank the same networks.

    Attributes:
        measures: in the order in which they were asked for.
        titles: of the measures, and at the end of the number of parameters of the final networks.
        rho: Spearman's rho of each with each, in the order of ``titles``; NaN where it is not defined.
    """

    measures: Sequence[MeasureStanding]
    titles: Sequence[str]
    rho: Sequence[Sequence[float]]


def agreement(candidates: Sequence[Candidate], repeats: int) -> Agreement | None:
    """The agreement of the measures of scored candidates; None where there is one measure.

    Args:
        repeats: how many repeats the scores are means of.
    """
    measured = list(dict.fromkeys(name for one in candidates for name in one.by_measure))
    if len(measured) < 2:
        return None
    columns = {name: _column(name, candidates) for name in measured}
    columns[_SIZE] = np.array([one.parameters for one in candidates], dtype=float)
    names = list(columns)
    rho = {(a, b): _rho(columns[a], columns[b]) for a in names for b in names}
    standings = []
    titles = titles_of(measured)
    for name in measured:
        others = [rho[name, other] for other in measured if other not in (name, *SIZES)]
        known = [value for value in others if not math.isnan(value)]
        found = [one.by_measure.get(name, {}) for one in candidates]
        log_scores = columns[name]
        scored = np.isfinite(log_scores)
        reasons = Counter(one["error"] for one in found if "error" in one)
        standings.append(
            MeasureStanding(
                name,
                titles[name],
                scored=int(scored.sum()),
                missing=reasons.most_common(1)[0][0] if reasons else "",
                with_others=float(np.mean(known)) if known else math.nan,
                repeatability=repeatability_of(
                    log_scores[scored],
                    [one.get("spread") for one in found if "error" not in one],
                    repeats,
                ),
                saturated=sum(bool(one.get("saturated")) for one in found),
                shared=math.nan
                if name == measured[0]
                else _shared(columns[measured[0]], log_scores),
                best=candidates[int(np.nanargmax(log_scores))].architecture if scored.any() else "",
            )
        )
    return Agreement(
        standings, [*titles.values(), _SIZE], [[rho[a, b] for b in names] for a in names]
    )


def _column(name: str, candidates: Sequence[Candidate]) -> Values:
    found = [one.by_measure.get(name, {}).get("log_score") for one in candidates]
    return np.array([math.nan if value is None else value for value in found], dtype=float)


def _rho(first: Values, other: Values) -> float:
    known = np.isfinite(first) & np.isfinite(other)
    return spearman(first[known], other[known])


def _shared(first: Values, other: Values) -> float:
    """How much the best tenths of the networks that have both share."""
    known = np.isfinite(first) & np.isfinite(other)
    if not known.any():
        return math.nan
    tenth = math.ceil(int(known.sum()) / 10)
    best = [set(np.argsort(-values[known], kind="stable")[:tenth]) for values in (first, other)]
    return len(best[0] & best[1]) / tenth
