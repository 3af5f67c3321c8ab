"""Pareto fronts of a cost and the score: of each run, and of all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swapnas_ext.search.pareto import first_front


@dataclass(frozen=True)
class FrontPoint:
    """An architecture of the joint front.

    Attributes:
        cost: parameters, operations, bytes or seconds.
        log_score: natural logarithm of its score, without size control.
        runs: names of the runs that have it, or another one of the same cost and score.
    """

    architecture: str
    cost: float
    log_score: float
    runs: tuple[str, ...]


@dataclass(frozen=True)
class JointFront:
    """The Pareto fronts for one cost: no other candidate has both a lower cost and a higher score.

    Attributes:
        cost: ``parameters``, ``flops``, ``memory`` (in bytes) or ``latency`` (in seconds).
        of_runs: the front of each run by its name, lowest cost first: pairs of a cost and a log-score.
        joint: the front of all candidates of all runs, lowest cost first.
    """

    cost: str
    of_runs: Mapping[str, tuple[tuple[float, float], ...]]
    joint: tuple[FrontPoint, ...]

    @property
    def shares(self) -> dict[str, float]:
        """The share of the joint front that each run has. Several may have a point, so their sum may exceed 1."""
        return {
            name: sum(name in point.runs for point in self.joint) / len(self.joint)
            for name in self.of_runs
        }


@dataclass(frozen=True)
class Points:
    """Architectures with their costs and the natural logarithms of their scores."""

    architectures: Sequence[str]
    costs: Sequence[float]
    log_scores: Sequence[float]


def front_of(cost: str, candidates: Mapping[str, Points]) -> JointFront | None:
    """The fronts of the scored candidates of each run, by its name. None if there are none."""
    found = {name: _pareto(points) for name, points in candidates.items()}
    joint = _pareto(
        Points(
            [one for points in found.values() for one in points.architectures],
            [one for points in found.values() for one in points.costs],
            [one for points in found.values() for one in points.log_scores],
        )
    )
    if not joint.costs:
        return None
    fronts = {
        name: tuple(zip(points.costs, points.log_scores, strict=True))
        for name, points in found.items()
    }
    sets = {name: set(front) for name, front in fronts.items()}
    return JointFront(
        cost,
        fronts,
        tuple(
            FrontPoint(*point, tuple(name for name in sets if point[1:] in sets[name]))
            for point in zip(joint.architectures, joint.costs, joint.log_scores, strict=True)
        ),
    )


def _pareto(points: Points) -> Points:
    """Those of which no other has both a lower cost and a higher score, lowest cost first."""
    kept = first_front(points.log_scores, points.costs)
    return Points(
        [points.architectures[place] for place in kept],
        [points.costs[place] for place in kept],
        [points.log_scores[place] for place in kept],
    )
