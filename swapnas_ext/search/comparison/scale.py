"""Whether scores of several runs are on one scale, so that one may be called higher than another."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from swapnas_ext import measures
from swapnas_ext.models import OWN
from swapnas_ext.search.candidate import Candidate, Outcome
from swapnas_ext.search.comparison.opened_run import OpenedRun
from swapnas_ext.search.run_file_checks import is_number
from swapnas_ext.search.size_control import Control

_NOT_OF_SCALE = (
    "measure",
    "seed",
    "repeats",
    "tolerance",
    "channels_last",
    "fast_layers",
    "mu",
    "sigma",
)
"""Settings of a scorer after which scores are still on one scale. The measure is compared by that of the scores, and
the size control by what the search used."""
_SEVERAL = "measures"
"""Of the details of an outcome: what each of several measures found."""
_NAMED = 3
"""How many runs a sentence names for one value."""


@dataclass(frozen=True)
class Scale:
    """What scores of all runs are compared by.

    Attributes:
        measure: name of the measure; None if the runs have none in common, or used it differently.
        control: by which the scores of all are regularised in curves; None if that would mislead.
        notes: sentences about what is not compared, and why.
    """

    measure: str | None
    control: Control | None
    notes: tuple[str, ...]


def common_scale(runs: Sequence[OpenedRun], measure: str | None = None) -> Scale:
    """The scale of all runs that have scores.

    Args:
        measure: the measure to compare by, which all have to have recorded; by default the one that each ranked by.

    Raises:
        ValueError: a run has no score by ``measure``.
    """
    scored = {run.source: run for run in runs if any(c.scored for c in run.result.candidates)}
    known = list(scored.values())
    if not known:
        return Scale(None, None, ("no run has scored anything",))
    ranked_by = {run.source: ranking_measure(run.result.candidates) for run in known}
    if measure is not None:
        asked, measure = measure, _known_name(measure)
        for run in known:
            recorded = _recorded_measures(run)
            if measure not in recorded:
                raise ValueError(
                    f"{run.source} has no scores by {asked}; it recorded {', '.join(recorded)}"
                )
    elif len(set(ranked_by.values())) > 1:
        values = _told(known, lambda run: ranked_by[run.source])
        notes = [f"ranked by different measures ({values}): no common curve and no common front"]
        common = set.intersection(*(set(_recorded_measures(run)) for run in known))
        if common:
            names = ", ".join(sorted(common))
            notes.append(f"every run recorded {names}: give one as the measure to compare by")
        return Scale(None, None, tuple(notes))
    else:
        measure = next(iter(ranked_by.values()))
        assert measure is not None  # there are scores
    differing = _differing_scorers(known, measure)
    if differing is not None:
        note = f"scores are not on one scale: {differing}: no common curve and no common front"
        return Scale(None, None, (note,))
    remarks = _noise(known)
    if any(name != measure for name in ranked_by.values()):
        if any(run.result.targets or _is_regularised(run) for run in known):
            remarks.append(f"scores by {measure} are compared without regularisation by size")
        return Scale(measure, Control(), tuple(remarks))
    control, told = _common_control(known)
    return Scale(measure, control, (*remarks, *told))


def log_scores_by(candidates: Sequence[Candidate], measure: str | None) -> list[float]:
    """Natural logarithms of the scores by a measure, without size control; by None: of the one they were ranked by. NaN
    without one."""
    if measure is None:
        return [candidate.log_score for candidate in candidates]
    return [
        _log_score_by(outcome, measure) if outcome is not None else math.nan
        for outcome in (candidate.outcome for candidate in candidates)
    ]


def _log_score_by(outcome: Outcome, measure: str) -> float:
    several = outcome.details.get(_SEVERAL)  # a run file may come from anyone
    if type(several) is not dict or not several:
        known = outcome.log_score if outcome.measure == measure else None
    elif outcome.details.get("score_of", next(iter(several))) == measure:
        known = outcome.log_score
    else:
        found = several.get(measure)
        known = found.get("log_score") if type(found) is dict else None
    return float(known) if known is not None and is_number(known) else math.nan


def _measure_of(outcome: Outcome) -> str | None:
    """The measure that the score is of; None without a score."""
    several = outcome.details.get(_SEVERAL)
    if type(several) is not dict or not several or outcome.measure is None:
        return outcome.measure
    return str(outcome.details.get("score_of", next(iter(several))))


def ranking_measure(candidates: Sequence[Candidate]) -> str | None:
    """The measure that most scores are of; None without scores."""
    outcomes = (candidate.outcome for candidate in candidates)
    counts = Counter(
        _measure_of(one) for one in outcomes if one is not None and one.score is not None
    )
    return counts.most_common(1)[0][0] if counts else None


def _recorded_measures(run: OpenedRun) -> list[str]:
    outcomes = [one.outcome for one in run.result.candidates if one.outcome and one.scored]
    names: dict[str, None] = {}
    for outcome in outcomes:
        several = outcome.details.get(_SEVERAL)
        names |= dict.fromkeys(
            str(name)
            for name in (_measure_of(outcome), *(several if type(several) is dict else ()))
        )
    return [
        name for name in names if any(math.isfinite(_log_score_by(one, name)) for one in outcomes)
    ]


def _known_name(measure: str) -> str:
    """The recorded name of a measure, which may have another, such as swap."""
    try:
        return measures.get(measure).name
    except (ValueError, TypeError, ImportError):
        return measure


def _differing_scorers(runs: Sequence[OpenedRun], measure: str) -> str | None:
    """Which settings of the scorers put scores on different scales, in words; None if none does."""
    scorers = {run.source: _of_scale(run, measure) for run in runs}
    names = dict.fromkeys(name for scorer in scorers.values() for name in scorer)
    for name in names:
        if len({repr(scorer.get(name)) for scorer in scorers.values()}) > 1:
            if name == "inputs":
                return "the images (or other inputs) differ"
            return (
                f"{name} differs ({_told(runs, lambda run, of=name: scorers[run.source].get(of))})"  # type: ignore[misc]
            )
    return None


def _of_scale(run: OpenedRun, measure: str) -> dict[str, Any]:
    scorer = {name: value for name, value in run.scorer.items() if name not in _NOT_OF_SCALE}
    # Of several measures, each has the weights that it has alone. A run file may name any module as its measure, which
    # is not to be imported.
    if scorer.get("init") == OWN and measure in measures.names():
        scorer["init"] = measures.get(measure).default_init
    return scorer


def _noise(runs: Sequence[OpenedRun]) -> list[str]:
    repeats = {repr(run.scorer.get("repeats")) for run in runs}
    if len(repeats) == 1:
        return []
    told = _told(runs, lambda run: run.scorer.get("repeats"))
    return [f"repeats differ ({told}): with fewer of them, the best score is higher by chance"]


def _is_regularised(run: OpenedRun) -> bool:
    return any(control.mu is not None for control in run.result.controls)


def _common_control(runs: Sequence[OpenedRun]) -> tuple[Control | None, list[str]]:
    """The size control that the scores of all runs are compared with, and sentences about it."""
    no_curve = "no common curve; fronts are of scores without regularisation"
    if any(len(run.result.targets) > 1 for run in runs):
        return None, [f"a family has one score for each of its sizes: {no_curve}"]
    regularised = [run for run in runs if _is_regularised(run)]
    if not regularised:
        if len({run.result.targets for run in runs}) > 1:
            return None, [f"some scores are regularised by size and others are not: {no_curve}"]
        return Control(), []
    calibrated = [run for run in runs if run.result.controls or not run.result.targets]
    if len(regularised) < len(calibrated):
        return None, [f"some scores are regularised by size and others are not: {no_curve}"]
    controls = {run.name: run.result.controls[0] for run in regularised}
    if len({control.mu for control in controls.values()}) > 1:
        told = _told(regularised, lambda run: controls[run.name].mu)
        return None, [f"target sizes differ (mu: {told}): {no_curve}"]
    name, control = next(iter(controls.items()))
    if len({control.sigma for control in controls.values()}) == 1:
        return control, []
    return control, [
        f"each run calibrated its own sigma: the scores of all are regularised here with that of {name}, "
        f"{control.sigma:.6g}"
    ]


def _told(runs: Sequence[OpenedRun], value_of: Callable[[OpenedRun], object]) -> str:
    """Which runs have which value, in words."""
    by_value: dict[str, list[str]] = {}
    for run in runs:
        by_value.setdefault(str(value_of(run)), []).append(run.name)
    return "; ".join(
        f"{value}: {', '.join(names[:_NAMED])}"
        + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        for value, names in by_value.items()
    )
