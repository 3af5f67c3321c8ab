"""Compares the runs of one space."""

from __future__ import annotations

import math
from collections.abc import Sequence

from swapnas_ext._util import garbage_kept
from swapnas_ext.search.candidate import Candidate
from swapnas_ext.search.comparison.best_so_far import BestSoFar
from swapnas_ext.search.comparison.comparison import ComparedRun, Comparison
from swapnas_ext.search.comparison.joint_front import JointFront, Points, front_of
from swapnas_ext.search.comparison.opened_run import OpenedRun, Runs, opened_runs
from swapnas_ext.search.comparison.repeats import (
    Repeats,
    ScoreRange,
    differing_settings,
    group_names,
    grouped,
    same_seed_notes,
)
from swapnas_ext.search.comparison.same_space import check_same_space
from swapnas_ext.search.comparison.scale import Scale, common_scale, log_scores_by
from swapnas_ext.search.costs import COSTS, Cost
from swapnas_ext.search.sessions import RunningTime
from swapnas_ext.search.size_control import Control


def compare(runs: Runs, *, top: int = 10, measure: str | None = None) -> Comparison:
    """Compares runs of one space: settings, the best so far over candidates and seconds, Pareto fronts, the overlap of
    their best architectures, and cost. No network is built, and no space is imported.

    Scores are only compared where they are on one scale; the notes of the result say what is not compared, and why.

    Args:
        runs: paths of run files, which are named by their stems; or paths and results by name.
        top: how many of the best of each run the overlap is of.
        measure: the measure to compare by, which all runs have to have recorded; by default the one that they rank by.

    Raises:
        ValueError: fewer than two runs, a run given twice, runs of different spaces, a run without scores by
            ``measure``, or ``top`` is not positive.
        TypeError: ``runs`` is not as described.
        FileNotFoundError, RunFileError: as for `load`.

    Example::

        comparison = swap.search.compare(["evolution.db", "random.db"])
        print(comparison.to_frame())
    """
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise ValueError(f"top must be a whole number from 1 on, got {top!r}")
    with garbage_kept():  # candidates are many, and none is garbage
        opened = opened_runs(runs)
        check_same_space(opened)
        return _compared(opened, top, measure)


def _compared(opened: Sequence[OpenedRun], top: int, measure: str | None) -> Comparison:
    scale = common_scale(opened, measure)
    differing = differing_settings(opened)
    groups = grouped(opened, differing)
    facts = [_RunFacts(run, scale, measure) for run in opened]
    best = [one.over_candidates.log_scores[-1] for one in facts if one.over_candidates.at]
    common_best = min(best, default=math.nan)
    compared = tuple(one.compared(common_best, top) for one in facts)
    common_candidates = min(run.candidates for run in compared)
    names = group_names(groups, opened, differing)
    tops = [{candidate.form for candidate in one.ranked[:top]} for one in facts]
    fronts, front_notes = _fronts(facts, scale)
    return Comparison(
        space=opened[0].space.get("name"),
        measure=scale.measure,
        runs=compared,
        repeats=tuple(
            _repeats(name, [compared[place] for place in group], common_candidates)
            for name, group in zip(names, groups, strict=True)
        ),
        differing=differing,
        top=top,
        overlap=tuple(tuple(len(one & other) for other in tops) for one in tops),
        fronts=tuple(fronts),
        common_best=common_best,
        common_candidates=common_candidates,
        notes=(*scale.notes, *front_notes, *same_seed_notes(groups, opened), *_unscored(facts)),
    )


class _RunFacts:
    """What is computed of one run.

    Args:
        scale: what the scores of all runs are compared by.
        measure: the measure that was asked for, by which its best are chosen; None: by its own ranking.
    """

    def __init__(self, run: OpenedRun, scale: Scale, measure: str | None) -> None:
        self.run = run
        self.name = run.name
        self.candidates = sorted(run.result.candidates, key=lambda candidate: candidate.number)
        self.clock = RunningTime(self.candidates, run.result.sessions)
        self.log_scores = log_scores_by(self.candidates, scale.measure)
        self.ranked = self._ranked(own_ranking=measure is None)
        self.over_candidates = self.over_seconds = BestSoFar((), ())
        if scale.measure is not None and scale.control is not None:
            compared = self._regularised(scale.control, self.log_scores)
            self.over_candidates = BestSoFar.of(enumerate(compared, start=1))
            pairs = zip(self.candidates, compared, strict=True)
            self.over_seconds = BestSoFar.of(
                sorted(
                    (self.clock.until(candidate.finished), log_score)
                    for candidate, log_score in pairs
                    if candidate.finished is not None
                )
            )

    def _ranked(self, *, own_ranking: bool) -> list[Candidate]:
        """The candidates with a score, best first."""
        log_scores: Sequence[float] = self.log_scores
        if own_ranking:
            controls = self.run.result.controls
            control = controls[0] if len(controls) == 1 else Control()
            log_scores = self._regularised(control, log_scores_by(self.candidates, None))
        known = [place for place, value in enumerate(log_scores) if not math.isnan(value)]
        known.sort(key=lambda place: -log_scores[place])  # stable: of equals, the first stays first
        return [self.candidates[place] for place in known]

    def _regularised(self, control: Control, log_scores: Sequence[float]) -> Sequence[float]:
        if control.mu is None:
            return log_scores
        return [
            log_score + control.log_factor(candidate.parameters)
            for candidate, log_score in zip(self.candidates, log_scores, strict=True)
        ]

    def points(self, cost: Cost) -> Points | None:
        """Cost and score of all that is scored; None if a cost is missing."""
        known = [place for place, value in enumerate(self.log_scores) if math.isfinite(value)]
        costs = []
        for place in known:
            found = cost.recorded(self.candidates[place])
            if found is None:
                return None
            costs.append(found)
        names = [self.candidates[place].architecture for place in known]
        return Points(names, costs, [self.log_scores[place] for place in known])

    def compared(self, common_best: float, top: int) -> ComparedRun:
        outcomes = [one.outcome for one in self.candidates if one.outcome is not None]
        reached = self.over_candidates.reaches(common_best)
        return ComparedRun(
            name=self.name,
            strategy=self.run.flat_settings().get("search.strategy"),
            seed=self.run.seed,
            state=self.run.state,
            candidates=len(self.candidates),
            scored=len(self.ranked),
            failed=sum(outcome.error is not None for outcome in outcomes),
            over=sum(outcome.over is not None for outcome in outcomes),
            work_seconds=sum(outcome.seconds for outcome in outcomes),
            seconds=self.clock.total,
            sessions=self.clock.sessions,
            best=self.over_candidates.log_scores[-1] if self.over_candidates.at else math.nan,
            best_architecture=self.ranked[0].architecture if self.ranked else None,
            top=min(top, len(self.ranked)),
            over_candidates=self.over_candidates,
            over_seconds=self.over_seconds,
            reached_candidates=None if reached is None else int(reached),
            reached_seconds=self.over_seconds.reaches(common_best),
        )


def _repeats(name: str, runs: Sequence[ComparedRun], common_candidates: int) -> Repeats:
    first = [run.over_candidates.value_at(common_candidates) for run in runs]
    return Repeats(
        name,
        tuple(run.name for run in runs),
        ScoreRange.of([run.best for run in runs]),
        ScoreRange.of(first),
    )


def _fronts(facts: Sequence[_RunFacts], scale: Scale) -> tuple[list[JointFront], list[str]]:
    """The fronts for each cost that all runs recorded, and sentences about others."""
    if scale.measure is None:
        return [], []
    fronts, notes = [], []
    for cost in COSTS.values():
        points = {one.name: one.points(cost) for one in facts}
        known = {name: found for name, found in points.items() if found is not None}
        if len(known) < len(points):
            if any(found.costs for found in known.values()):
                missing = ", ".join(name for name in points if name not in known)
                notes.append(
                    f"no front of {cost.title}: it is not recorded of every candidate of {missing}"
                )
            continue
        why_not = _on_other_scales(cost, facts)
        if why_not:
            notes.append(f"no front of {cost.title}: {why_not}")
            continue
        front = front_of(cost.name, known)
        if front is not None:
            fronts.append(front)
    return fronts, notes


def _on_other_scales(cost: Cost, facts: Sequence[_RunFacts]) -> str:
    """Why the costs of the runs can't be compared; empty if they can."""
    if cost.name == "flops":
        of_final = {cost.is_recorded_by(one.run.result.settings) for one in facts}
        if len(of_final) > 1:  # see `Outcome.flops`
            return "some runs count those of the scored networks, others those of the final ones"
    if cost.name == "latency":
        devices = dict.fromkeys(
            next(iter(candidate.outcome.latencies))
            for one in facts
            for candidate in one.candidates
            if candidate.outcome is not None and candidate.outcome.latencies
        )
        if len(devices) > 1:
            return f"it was measured on {', '.join(devices)}"
    return ""


def _unscored(facts: Sequence[_RunFacts]) -> list[str]:
    names = [one.name for one in facts if not one.ranked]
    return [f"nothing is scored in {', '.join(names)}"] if 0 < len(names) < len(facts) else []
