"""Runs that differ in their seeds alone are repeats of one setting."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from swapnas_ext.search.comparison.opened_run import OpenedRun

SEEDS = ("search.seed", "scorer.seed")
_LONGEST_NAME = 40


@dataclass(frozen=True)
class ScoreRange:
    """The scores of some runs, as natural logarithms.

    Attributes:
        runs: how many.
        mean: the logarithm of the mean score.
        low, high: the lowest and the highest.
    """

    runs: int
    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, log_scores: Sequence[float]) -> ScoreRange | None:
        """None without scores. NaN is left out."""
        known = [value for value in log_scores if not math.isnan(value)]
        if not known:
            return None
        high = max(known)
        # Scores themselves may be too large for a float.
        mean = high + math.log(sum(math.exp(value - high) for value in known) / len(known))
        return cls(len(known), min(max(mean, min(known)), high), min(known), high)


@dataclass(frozen=True)
class Repeats:
    """The runs of one setting.

    Attributes:
        name: the values in which it differs from the other settings; of a single run: the run's name.
        runs: their names.
        best: their best scores at the end; None where scores can't be compared.
        best_of_first: the same among the first candidates of each, as many as all runs of the comparison have.
    """

    name: str
    runs: tuple[str, ...]
    best: ScoreRange | None
    best_of_first: ScoreRange | None


def differing_settings(runs: Sequence[OpenedRun]) -> dict[str, tuple[Any, ...]]:
    """The settings in which runs differ, by name, with the value of each run."""
    flat = [run.flat_settings() for run in runs]
    names = dict.fromkeys(name for settings in flat for name in settings)
    found = {name: tuple(settings.get(name) for settings in flat) for name in names}
    return {name: values for name, values in found.items() if len(set(map(_key, values))) > 1}


def grouped(runs: Sequence[OpenedRun], differing: Mapping[str, Sequence[Any]]) -> list[list[int]]:
    """The places of runs that differ in their seeds alone, group by group, in the order of the first of each."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for place in range(len(runs)):
        key = tuple(_key(values[place]) for name, values in differing.items() if name not in SEEDS)
        groups.setdefault(key, []).append(place)
    return list(groups.values())


def group_names(
    groups: Sequence[Sequence[int]],
    runs: Sequence[OpenedRun],
    differing: Mapping[str, Sequence[Any]],
) -> list[str]:
    """A name for each group: of a single run, the run's; otherwise the values in which it differs from the others."""
    if len(groups) == 1:
        return [runs[0].name if len(runs) == 1 else "all runs"]
    of_setting = {name: values for name, values in differing.items() if name not in SEEDS}
    names = []
    for number, group in enumerate(groups, start=1):
        told = ", ".join(
            _told(name, values[group[0]], alone=len(of_setting) == 1)
            for name, values in of_setting.items()
        )
        short = told if len(told) <= _LONGEST_NAME else f"setting {number}"
        names.append(runs[group[0]].name if len(group) == 1 else short)
    counts = Counter(names)
    return [
        name if counts[name] == 1 else f"{name} ({number})"
        for number, name in enumerate(names, start=1)
    ]


def same_seed_notes(groups: Sequence[Sequence[int]], runs: Sequence[OpenedRun]) -> list[str]:
    """Sentences about runs that can't differ, and so are no repeats."""
    notes = []
    for group in groups:
        by_seed: dict[str, list[str]] = {}
        for place in group:
            settings = runs[place].flat_settings()
            key = _key([settings.get(name) for name in SEEDS])
            by_seed.setdefault(key, []).append(runs[place].name)
        notes += [
            f"{', '.join(names)} have the same settings and the same seed: they are one repeat, counted "
            f"{len(names)} times"
            for names in by_seed.values()
            if len(names) > 1
        ]
    return notes


def _told(name: str, value: Any, *, alone: bool) -> str:
    text = str(value)
    return text if alone and isinstance(value, str) else f"{name.rpartition('.')[2]}={text}"


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
