"""Chooses samples, repeats and input size from what a pilot has read. Nothing runs here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import numpy as np

from swapnas_ext._util import rank_correlation

WANTED = 0.95
"""The wanted agreement between two independent rankings. A correlation with anything else, such as accuracy, is that of
a ranking without noise times the square root of this: at 0.95 noise costs 2.5 % of it, and at 0.9 it would cost 5 %."""
KEPT = 0.98
"""The agreement with the ranking on larger images, of the same weights, that smaller images need."""
MOST_REPEATS = 16
"""A setting that needs more repeats is too noisy."""
_SATURATED_OF = 20
"""At most one of so many architectures may be saturated."""


class Problem(str, Enum):
    """Why a setting is no good."""

    NONE = ""
    SATURATED = "saturated"
    ALL_THE_SAME = "all scores are the same"
    NOT_READ_TWICE = "not read twice"
    NOT_REPEATABLE = "not repeatable"
    NOT_COMPARED = "not compared with larger images"
    OTHER_ORDER = "larger images rank otherwise"


@dataclass(frozen=True)
class Setting:
    """A number of samples, and the sides of images in pixels (of passages: tokens)."""

    samples: int
    size: int

    @property
    def work(self) -> int:
        """What a forward pass costs, up to a factor."""
        return self.samples * self.size**2


@dataclass(frozen=True)
class Trial:
    """What a pilot found out about one setting.

    Attributes:
        samples, size: the setting.
        architectures: how many were read.
        saturated: how many of them are saturated.
        agreement: Spearman's rho between two readings with other weights and other images; None without a second
            reading, or if all scores are the same.
        kept: Spearman's rho between the readings on these images and on images twice as large; None without one.
        repeats: R that reaches the wanted agreement, or the given one.
        seconds: median time of one repeat of one architecture.
        problem: why the setting is no good, if it is not.
    """

    samples: int
    size: int
    architectures: int
    saturated: int
    agreement: float | None
    kept: float | None
    repeats: int
    seconds: float
    problem: Problem

    @property
    def cost(self) -> float:
        """Seconds for one architecture."""
        return self.seconds * self.repeats

    @property
    def reached(self) -> float | None:
        """The predicted agreement between two rankings of ``repeats`` repeats each."""
        return None if self.agreement is None else spearman_brown(self.agreement, self.repeats)

    @property
    def is_saturated(self) -> bool:
        """Whether too many of its architectures are saturated."""
        return self.problem is Problem.SATURATED

    @property
    def is_good(self) -> bool:
        """Whether nothing is against this setting."""
        return self.problem is Problem.NONE


@dataclass(frozen=True)
class Pilot:
    """What a pilot chose.

    Attributes:
        samples, repeats: S and R.
        size: sides of the images in pixels; None: the space's own.
        sentence: what was chosen, and why.
        seconds: how long the pilot took.
        trials: what was tried, in this order.
    """

    samples: int
    repeats: int
    size: int | None
    sentence: str
    seconds: float
    trials: tuple[Trial, ...]

    def for_json(self) -> dict[str, Any]:
        """As run files record it."""
        return {**asdict(self), "trials": [asdict(trial) for trial in self.trials]}


def judged(
    setting: Setting,
    seconds: float,
    saturated: Sequence[bool],
    pairs: Sequence[tuple[float, float]],
    *,
    kept: float | None = None,
    needs_kept: bool = False,
    repeats: int | None,
) -> Trial:
    """Judges a setting.

    Args:
        saturated: of each architecture of the first reading.
        pairs: the log-scores of each architecture in two independent readings; empty without a second one.
        kept: see `Trial`. ``needs_kept``: whether the images are smaller than the space's own.
        repeats: R if it is given; None if it is to be chosen.
    """
    count = sum(saturated)
    agreement = spearman(pairs)
    needed = None if agreement is None else repeats_needed(agreement, len(pairs))
    if repeats is None:
        repeats = 1 if agreement is None else min(needed or MOST_REPEATS, MOST_REPEATS)
    if is_saturated(count, len(saturated)):
        problem = Problem.SATURATED
    elif not pairs:
        problem = Problem.NOT_READ_TWICE
    elif agreement is None:
        problem = Problem.ALL_THE_SAME
    elif needed is None or needed > repeats:
        problem = Problem.NOT_REPEATABLE
    elif needs_kept and kept is None:
        problem = Problem.NOT_COMPARED
    elif needs_kept and kept is not None and kept < KEPT:
        problem = Problem.OTHER_ORDER
    else:
        problem = Problem.NONE
    return Trial(
        samples=setting.samples,
        size=setting.size,
        architectures=len(saturated),
        saturated=count,
        agreement=agreement,
        kept=kept,
        repeats=repeats,
        seconds=seconds,
        problem=problem,
    )


def unsaturated_samples(trial: Trial, neurons: float) -> int:
    """More samples, for a setting that is saturated since all patterns that are possible occur: so many that as many
    patterns are possible as there are neurons."""
    return max(trial.samples + 1, round(math.log2(max(neurons, 2))))


def untried(setting: Setting, repeats: int | None) -> Trial:
    """A setting that there was no time to try."""
    return Trial(
        samples=setting.samples,
        size=setting.size,
        architectures=0,
        saturated=0,
        agreement=None,
        kept=None,
        repeats=repeats or 1,
        seconds=math.nan,
        problem=Problem.NOT_READ_TWICE,
    )


def is_saturated(saturated: int, architectures: int) -> bool:
    """Whether too many architectures are saturated."""
    return saturated > architectures // _SATURATED_OF


def best(trials: Sequence[Trial]) -> Trial:
    """The cheapest good setting. If none is good: the one with the fewest saturated, which keeps the order of larger
    images, and agrees best with itself."""

    def shortcomings(trial: Trial) -> tuple[float, ...]:
        if trial.is_good:
            return 0, 0, 0, 0, trial.cost
        share = trial.saturated / trial.architectures
        order = [Problem.NOT_COMPARED, Problem.OTHER_ORDER]
        changes = 1 + order.index(trial.problem) if trial.problem in order else 0
        agreement = -1.0 if trial.reached is None else round(trial.reached, 1)  # less is noise
        return 1, share, changes, -agreement, trial.cost

    return min(trials, key=shortcomings)


def spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's rho; None for fewer than two pairs, and where all values on one side are the same."""
    columns = np.array(pairs, dtype=float).reshape(-1, 2)
    rho = rank_correlation(columns[:, 0], columns[:, 1])
    return None if math.isnan(rho) else rho


def spearman_brown(agreement: float, repeats: int) -> float:
    """The expected agreement of two rankings by the means of ``repeats`` repeats, from that of single ones."""
    agreement = max(0.0, agreement)
    return repeats * agreement / (1 + (repeats - 1) * agreement)


def repeats_needed(agreement: float, architectures: int) -> int | None:
    """How many repeats reach `WANTED`; None if no number does. Repeats are costly, and few architectures tell the
    agreement only roughly: it has the benefit of half a standard error."""
    if agreement >= 1:
        return 1
    error = 1 / math.sqrt(max(architectures - 3, 1))  # of Fisher's z
    plausible = math.tanh(math.atanh(max(agreement, -1 + 1e-9)) + error / 2)
    if plausible <= 0:
        return None
    exactly = WANTED * (1 - plausible) / (plausible * (1 - WANTED))
    return max(1, math.ceil(exactly - 1e-9))
