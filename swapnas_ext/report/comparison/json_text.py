"""How runs compare, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swapnas_ext._util import exp_or_inf
from swapnas_ext.report.shared.json_text import json_text

if TYPE_CHECKING:
    from swapnas_ext.search import (
        BestSoFar,
        ComparedRun,
        Comparison,
        JointFront,
        Repeats,
        ScoreRange,
    )


def to_json(comparison: Comparison) -> str:
    """An object with what was compared.

    ``runs`` has each run with its cost, its best, and its curves: the places at which the best so far rises, and the
    natural logarithms of the scores. ``repeats`` are the runs by settings; ``differing`` has the settings that differ,
    with a value for each run; ``overlap`` a line for each run; ``fronts`` the joint Pareto fronts. ``notes`` are
    sentences about what is not compared, and why. What can't be compared is null.
    """
    content: dict[str, Any] = {
        "space": comparison.space,
        "measure": comparison.measure,
        "sentence": comparison.sentence,
        "notes": list(comparison.notes),
        "differing": comparison.differing,
        "repeats": [_repeats(group) for group in comparison.repeats],
        "common_best": _score(comparison.common_best),
        "common_candidates": comparison.common_candidates,
        "runs": [_run(run) for run in comparison.runs],
        "top": comparison.top,
        "overlap": comparison.overlap,
        "fronts": [_front(front) for front in comparison.fronts],
    }
    return json_text(content)


def _score(log_score: float) -> dict[str, float]:
    return {"score": exp_or_inf(log_score), "log_score": log_score}


def _range(found: ScoreRange | None) -> dict[str, Any] | None:
    if found is None:
        return None
    ends = {name: _score(getattr(found, name)) for name in ("mean", "low", "high")}
    return {"runs": found.runs, **ends}


def _repeats(group: Repeats) -> dict[str, Any]:
    return {
        "setting": group.name,
        "runs": group.runs,
        "best": _range(group.best),
        "best_of_first": _range(group.best_of_first),
    }


def _run(run: ComparedRun) -> dict[str, Any]:
    return {
        "run": run.name,
        "strategy": run.strategy,
        "seed": run.seed,
        "state": run.state,
        "candidates": run.candidates,
        "scored": run.scored,
        "failed": run.failed,
        "over": run.over,
        "work_seconds": run.work_seconds,
        "seconds": run.seconds,
        "sessions": run.sessions,
        "candidates_per_second": run.rate,
        "best": {"architecture": run.best_architecture, **_score(run.best)},
        "top": run.top,
        "reached_candidates": run.reached_candidates,
        "reached_seconds": run.reached_seconds,
        "over_candidates": _curve("candidates", run.over_candidates),
        "over_seconds": _curve("seconds", run.over_seconds),
    }


def _curve(unit: str, curve: BestSoFar) -> dict[str, Any]:
    return {unit: curve.at, "log_scores": curve.log_scores}


def _front(front: JointFront) -> dict[str, Any]:
    return {
        "cost": front.cost,
        "shares": front.shares,
        "joint": [
            {
                "architecture": point.architecture,
                front.cost: point.cost,
                **_score(point.log_score),
                "runs": point.runs,
            }
            for point in front.joint
        ],
        "of_runs": {
            name: [{front.cost: cost, "log_score": log_score} for cost, log_score in of_run]
            for name, of_run in front.of_runs.items()
        },
    }
