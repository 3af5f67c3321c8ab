"""The result of a validation: how well the scores rank the accuracies of networks that were trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from swapnas_ext.correlation import Comparison, Ranking, compare, rank
from swapnas_ext.validation.chance import p_value
from swapnas_ext.validation.choosing import Group
from swapnas_ext.validation.plan import Plan

SCORE = "score"
PARAMETERS = "parameters"
_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Trained:
    """A network that was trained, or could not be.

    Attributes:
        place: its rank among the run's distinct architectures; 1 is the best.
        group: which part of the ranking it stands for.
        score, log_score: as the run ranks, so with its size control.
        parameters: of the network that was trained.
        accuracy: percent of the held-out images that it classifies correctly; None if it could not be trained.
        seconds: how long training and judging took.
        error: why it could not be trained.
    """

    place: int
    group: Group
    architecture: str
    score: float
    log_score: float
    parameters: int
    accuracy: float | None
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class Validation:
    """How well the scores of a run rank trained networks.

    Attributes:
        networks: those that were trained, and those that failed, by rank in the run.
        chosen: how many were to be trained.
        among: how many distinct architectures the run has scored.
        plan: how long each was trained.
        classes: how many classes the images have.
        train_images, held_out_images: how many images there were for training, and for the accuracies.
        found_images: how many image files the folder has.
        size: sides of the images, in pixels.
        space: name of the space of the trained networks.
        device: what trained them.
        seconds: how long timing and training took, that of earlier calls included.
        interrupted: whether Ctrl-C ended it before all were trained.
        seed: of weights, mini-batches and intervals.
        other_scores: of a run with several measures, the log-scores of those that do not rank it, by title and by the
            rank of the network; NaN where one is missing.
    """

    networks: Sequence[Trained]
    chosen: int
    among: int
    plan: Plan
    classes: int
    train_images: int
    held_out_images: int
    found_images: int
    size: int
    space: str
    device: str
    seconds: float
    interrupted: bool
    seed: int
    other_scores: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether all chosen networks were trained, or failed."""
        return len(self.networks) == self.chosen

    @property
    def trained(self) -> list[Trained]:
        """The networks that have an accuracy."""
        return [network for network in self.networks if network.accuracy is not None]

    @property
    def failed(self) -> list[Trained]:
        """Those that could not be trained. They have no accuracy, and no part in the coefficients."""
        return [network for network in self.networks if network.accuracy is None]

    @property
    def images_per_second(self) -> float:
        """Training images that went through a network in a second, judging included."""
        seconds = sum(network.seconds for network in self.trained)
        return self.plan.steps * self.plan.batch * len(self.trained) / seconds if seconds else 0.0

    @cached_property
    def rankings(self) -> tuple[Ranking, ...]:
        """How well the score ranks the accuracies, the other measures of the run, and at last the number of parameters
        alone."""
        values, accuracies = self._columns
        return tuple(rank(name, values[name], accuracies, self.seed) for name in values)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """The score, and each other measure, against the number of parameters, on the same networks; without those
        that do not rank."""
        values, accuracies = self._columns
        found = (
            compare(name, PARAMETERS, values, accuracies, self.seed)
            for name in values
            if name != PARAMETERS
        )
        return [one for one in found if one is not None]

    @cached_property
    def p_value(self) -> float:
        """How often chance ranks as well as the score, either way round; NaN where rho is not defined."""
        values, accuracies = self._columns
        return p_value(values[SCORE], accuracies, self.seed)

    @property
    def verdict(self) -> str:
        """What the interval of Spearman's rho and the p-value say. Both have to exclude chance."""
        rho = self.rankings[0].rho
        likely = not self.p_value <= _SIGNIFICANT
        if rho.low > 0 and not likely:
            return "the score ranks on these images"
        if rho.high < 0 and not likely:
            return "the score ranks these networks the wrong way round"
        return "no evidence that the score ranks on these images"

    @property
    def _columns(self) -> tuple[dict[str, list[float]], list[float]]:
        rows = [(row, row.accuracy) for row in self.networks if row.accuracy is not None]
        values = {
            SCORE: [row.log_score for row, _ in rows],
            **{
                title: [scores.get(row.place, math.nan) for row, _ in rows]
                for title, scores in self.other_scores.items()
            },
            PARAMETERS: [float(row.parameters) for row, _ in rows],
        }
        return values, [accuracy for _, accuracy in rows]
