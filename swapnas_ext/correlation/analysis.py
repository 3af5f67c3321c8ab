"""What scores tell about a space, and how far the scores can be trusted. No accuracies are needed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np

from swapnas_ext._util import Values
from swapnas_ext.correlation.ranking import spearman
from swapnas_ext.measures import SATURATED
from swapnas_ext.search import Candidate, Outcome, RunFile, RunFileError
from swapnas_ext.spaces import SearchSpace

_ENOUGH = 3
"""How many architectures a mean needs."""


@dataclass(frozen=True)
class OperationEffect:
    """How an architecture's score depends on how often an operation occurs in it.

    Attributes:
        counts: the numbers of occurrences that at least three architectures have.
        means: for each count, the mean value of its architectures. The unit is the standard deviation over all
            architectures, and 0 is the mean of all.
        rho: Spearman's rho between the count and the value.
    """

    operation: str
    counts: Sequence[int]
    means: Sequence[float]
    rho: float


def operation_effects(
    space: SearchSpace, architectures: Sequence[str], values: Sequence[float]
) -> list[OperationEffect]:
    """The effect of each operation that some architectures have more often than others, strongest first.

    Operations are the labels in the drawings of the space's architectures (`SearchSpace.graphs`).

    Args:
        values: a number for each architecture: its log-score, or its accuracy.
    """
    y = np.asarray(values, dtype=float)
    spread = y.std()
    if spread == 0:
        return []
    standard = (y - y.mean()) / spread
    occurrences = [_occurrences(space, architecture) for architecture in architectures]
    effects = []
    for operation in sorted({name for counted in occurrences for name in counted}):
        x = np.array([counted[operation] for counted in occurrences])
        common = [int(count) for count in np.unique(x) if (x == count).sum() >= _ENOUGH]
        if len(common) < 2:
            continue
        means = [float(standard[x == count].mean()) for count in common]
        effects.append(OperationEffect(operation, common, means, spearman(x.astype(float), y)))
    return sorted(effects, key=lambda effect: -abs(effect.rho))


def _occurrences(space: SearchSpace, architecture: str) -> Counter[str]:
    graphs = space.graphs(architecture)
    labels = [label for graph in graphs for label in graph.nodes]
    labels += [label for graph in graphs for _, _, label in graph.edges]
    return Counter(label for label in labels if any(letter.isalpha() for letter in label))


@dataclass(frozen=True)
class Saturation:
    """How many scores are too near the highest possible to tell architectures apart.

    Attributes:
        architectures: how many architectures are saturated.
        total: how many were scored.
        among_best: how many of the best tenth are saturated.
        best: saturation of the highest score. It is `SATURATED` where ternary patterns are saturated without
            their third state, which is rare. None where the measure does not tell a saturation, or tells that of the
            patterns that it counts, which are only a part of its score.
    """

    architectures: int
    total: int
    among_best: int
    best: float | None

    @property
    def is_known(self) -> bool:
        """Whether the measure tells anything about saturation."""
        return self.best is not None or self.architectures > 0


def _is_of_the_score(outcome: Outcome) -> bool:
    """Whether the saturation is that of the score, and not of patterns that are a part of it."""
    patterns, score = outcome.patterns, outcome.score
    return patterns is None or score is None or math.isclose(patterns, score, rel_tol=1e-6)


def saturation(candidates: Sequence[Candidate]) -> Saturation:
    """The saturation of scored candidates."""
    ordered = sorted(candidates, key=lambda candidate: -candidate.log_score)
    tenth = ordered[: math.ceil(len(ordered) / 10)]
    first = ordered[0]
    best = None
    if first.outcome is not None and _is_of_the_score(first.outcome):
        best = first.outcome.saturation
    if best is not None and first.is_saturated:
        best = min(1.0, max(best, SATURATED))
    return Saturation(
        sum(candidate.is_saturated for candidate in ordered),
        len(ordered),
        sum(candidate.is_saturated for candidate in tenth),
        best,
    )


@dataclass(frozen=True)
class Repeatability:
    """How far a ranking depends on the weights that were drawn.

    Attributes:
        repeats: how many repeats were made.
        between: variance of log-scores between architectures.
        within: variance of the log-scores of single repeats of one architecture, to first order.
    """

    repeats: int
    between: float
    within: float

    def agreement_of(self, repeats: int) -> float:
        """Expected correlation of the log-scores of two runs that draw different weights.

        It is the share of the variance that lies between architectures (intraclass correlation).

        Args:
            repeats: how many repeats each of the two runs makes.
        """
        if self.between == 0:
            return 0.0
        return self.between / (self.between + self.within / repeats)

    def needed(self, agreement: float) -> int | None:
        """How many repeats it takes to reach an agreement (Spearman-Brown).

        None where architectures do not differ: then no number of repeats is enough.
        """
        if self.between == 0:
            return None
        exactly = self.within / self.between * agreement / (1 - agreement)
        return max(1, math.ceil(exactly - 1e-9))


def repeatability(candidates: Sequence[Candidate], repeats: int) -> Repeatability | None:
    """The repeatability of candidates that were scored with ``repeats`` repeats.

    None for one repeat, for fewer than three scores, and where the measure does not tell the spread of its
    repeats.
    """
    outcomes = [c.outcome for c in candidates if c.outcome is not None and c.scored]
    return repeatability_of(
        [c.log_score for c in candidates if c.scored],
        [outcome.spread for outcome in outcomes],
        repeats,
    )


def repeatability_of(
    log_scores: Sequence[float] | Values, spreads: Sequence[float | None], repeats: int
) -> Repeatability | None:
    """`repeatability` from logarithms of scores, and the standard deviation over repeats of each, relative to it."""
    known = [spread for spread in spreads if spread is not None]
    if repeats < 2 or len(log_scores) < 3 or len(known) < len(log_scores):
        return None
    within = float((np.array(known) ** 2).mean())
    between = max(0.0, float(np.asarray(log_scores).var(ddof=1)) - within / repeats)
    return Repeatability(repeats, between, within)


def scored_alike(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates whose score is of the same measure, the most frequent one. It differs where several measures were
    asked for, and the first can't read every network."""
    if not candidates:
        return []
    counts = Counter(candidate.score_of for candidate in candidates)
    score_of = counts.most_common(1)[0][0]
    return [candidate for candidate in candidates if candidate.score_of == score_of]


@dataclass(frozen=True)
class ScoredRun:
    """The scores of a run file, to be compared with those of other runs over the same architectures.

    Attributes:
        candidates: those that have a score.
    """

    name: str
    samples: int
    repeats: int
    candidates: Sequence[Candidate]

    @classmethod
    def read(cls, path: Path) -> ScoredRun:
        """Reads a run file.

        Raises:
            FileNotFoundError: there is no such file.
            RunFileError: it is not a run file, or it is damaged.
            ValueError: it has no scores.
        """
        with RunFile.read(path) as run_file:
            scorer = run_file.settings.get("scorer")
            candidates = [candidate for candidate in run_file.candidates() if candidate.scored]
        if not candidates:
            raise ValueError(f"nothing was scored in {path}")
        settings = scorer if isinstance(scorer, dict) else {}
        samples, repeats = settings.get("samples"), settings.get("repeats")
        if not (_is_positive_int(samples) and _is_positive_int(repeats)):
            raise RunFileError(
                f"{path} is damaged: it does not say with how many samples and repeats"
            )
        return cls(path.name, samples, repeats, candidates)

    @property
    def alike(self) -> list[Candidate]:
        """Those whose score is of the same measure: see `scored_alike`."""
        return scored_alike(self.candidates)

    @property
    def saturated(self) -> float | None:
        """The share of saturated architectures; None where the measure does not tell a saturation."""
        told = saturation(self.alike)
        return told.architectures / told.total if told.is_known else None

    @property
    def milliseconds(self) -> float:
        """Median time of scoring a network."""
        return 1e3 * float(np.median([c.outcome.seconds for c in self.candidates if c.outcome]))

    def agreement(self, other: ScoredRun) -> float:
        """Spearman's rho between the two runs' scores of the architectures that both have.

        NaN where they share fewer than three, or where the scores of a run are all the same.
        """
        mine, others = ({c.form: c.log_score for c in run.alike} for run in (self, other))
        both = sorted(mine.keys() & others.keys())
        return spearman(
            np.array([mine[form] for form in both]), np.array([others[form] for form in both])
        )


def _is_positive_int(value: object) -> TypeGuard[int]:
    return type(value) is int and value > 0
