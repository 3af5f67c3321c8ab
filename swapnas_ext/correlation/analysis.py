"""What a table of scores tells about a space, and about the scores themselves. No accuracies are needed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swapnas_ext.correlation.ranking import spearman
from swapnas_ext.measures import SATURATED
from swapnas_ext.search import Candidate, RunFile, RunFileError
from swapnas_ext.spaces import SearchSpace

_RARE = 3
"""Architectures with so many of an operation that are too few for a mean."""


@dataclass(frozen=True)
class OperationEffect:
    """What architectures score by how often they have an operation.

    Attributes:
        counts: how often it occurs, those numbers that are not rare.
        means: of what is compared, for each count, in standard deviations from the mean of all.
        rho: Spearman's, between the count and what is compared.
    """

    operation: str
    counts: Sequence[int]
    means: Sequence[float]
    rho: float


def operation_effects(
    space: SearchSpace, architectures: Sequence[str], values: Sequence[float]
) -> list[OperationEffect]:
    """For each label in the drawings of the space's architectures (`SearchSpace.graphs`) that some have more
    often than others; the strongest first.

    Args:
        values: a number for each architecture: log-scores, or accuracies.
    """
    y = np.asarray(values, dtype=float)
    spread = y.std()
    if spread == 0:
        return []
    standard = (y - y.mean()) / spread
    tables = [_operations(space, architecture) for architecture in architectures]
    effects = []
    for operation in sorted({name for table in tables for name in table}):
        x = np.array([table[operation] for table in tables])
        common = [int(count) for count in np.unique(x) if (x == count).sum() >= _RARE]
        if len(common) < 2:
            continue
        means = [float(standard[x == count].mean()) for count in common]
        effects.append(OperationEffect(operation, common, means, spearman(x.astype(float), y)))
    return sorted(effects, key=lambda effect: -abs(effect.rho))


def _operations(space: SearchSpace, architecture: str) -> Counter[str]:
    graphs = space.graphs(architecture)
    labels = [label for graph in graphs for label in graph.nodes]
    labels += [label for graph in graphs for _, _, label in graph.edges]
    return Counter(label for label in labels if any(letter.isalpha() for letter in label))


@dataclass(frozen=True)
class Saturation:
    """Where scores can't tell architectures apart.

    Attributes:
        architectures: that are saturated.
        total: that were scored.
        among_best: that are, among the best tenth.
        best: the saturation of the highest score; `SATURATED` where it is that without the third state of
            ternary patterns.
    """

    architectures: int
    total: int
    among_best: int
    best: float


def saturation(candidates: Sequence[Candidate]) -> Saturation:
    """Of candidates that were scored."""
    ordered = sorted(candidates, key=lambda candidate: -candidate.log_score)
    tenth = ordered[: math.ceil(len(ordered) / 10)]
    best = (ordered[0].outcome and ordered[0].outcome.saturation) or 0.0
    if ordered[0].is_saturated:
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
        repeats: that were made.
        between, within: variance of log-scores between architectures, and of one repeat's within one, to
            first order.
    """

    repeats: int
    between: float
    within: float

    def agreement_of(self, repeats: int) -> float:
        """Expected correlation between the log-scores of two runs with other weights and so many repeats:
        the part of their variance that lies between architectures (intraclass correlation)."""
        if self.between == 0:
            return 0.0
        return self.between / (self.between + self.within / repeats)

    def needed(self, agreement: float) -> int | None:
        """Repeats for such an agreement (Spearman-Brown); None where there is nothing to agree on."""
        if self.between == 0:
            return None
        exactly = self.within / self.between * agreement / (1 - agreement)
        return max(1, math.ceil(exactly - 1e-9))


def repeatability(candidates: Sequence[Candidate], repeats: int) -> Repeatability | None:
    """Of candidates that were scored with so many repeats; None where one repeat tells nothing of it."""
    outcomes = [c.outcome for c in candidates if c.outcome is not None and c.scored]
    spreads = [outcome.spread for outcome in outcomes if outcome.spread is not None]
    if repeats < 2 or len(outcomes) < 3 or len(spreads) < len(outcomes):
        return None
    within = float((np.array(spreads) ** 2).mean())
    log_scores = np.array([outcome.log_score for outcome in outcomes], dtype=float)
    between = max(0.0, float(log_scores.var(ddof=1)) - within / repeats)
    return Repeatability(repeats, between, within)


@dataclass(frozen=True)
class Run:
    """A run file, to be compared with others over the same architectures.

    Attributes:
        candidates: those that were scored.
    """

    name: str
    samples: int
    repeats: int
    candidates: Sequence[Candidate]

    @classmethod
    def read(cls, path: Path) -> Run:
        """Raises FileNotFoundError, RunFileError, or ValueError where nothing was scored."""
        with RunFile.read(path) as run_file:
            scorer = run_file.settings.get("scorer")
            candidates = [candidate for candidate in run_file.candidates() if candidate.scored]
        if not candidates:
            raise ValueError(f"nothing was scored in {path}")
        counts = (
            [scorer.get(name) for name in ("samples", "repeats")]
            if isinstance(scorer, dict)
            else []
        )
        if not counts or not all(type(count) is int and count > 0 for count in counts):
            raise RunFileError(
                f"{path} is damaged: it does not say with how many samples and repeats"
            )
        return cls(path.name, *counts, candidates)

    @property
    def saturated(self) -> float:
        """The part of the architectures that are."""
        return saturation(self.candidates).architectures / len(self.candidates)

    @property
    def milliseconds(self) -> float:
        """That a network took, median."""
        return 1e3 * float(np.median([c.outcome.seconds for c in self.candidates if c.outcome]))

    def agreement(self, other: Run) -> float:
        """Spearman's rho between the scores of architectures that both have; NaN where that are too few."""
        mine, others = ({c.form: c.log_score for c in run.candidates} for run in (self, other))
        both = sorted(mine.keys() & others.keys())
        return spearman(
            np.array([mine[form] for form in both]), np.array([others[form] for form in both])
        )
