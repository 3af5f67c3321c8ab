"""The result of comparing runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from swapnas_ext._util import (
    ColumnType,
    data_frame,
    exp_or_inf,
    exp_text,
    notebook_facts,
    notebook_table,
)
from swapnas_ext.search.comparison.best_so_far import BestSoFar
from swapnas_ext.search.comparison.joint_front import JointFront
from swapnas_ext.search.comparison.repeats import Repeats

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, repr=False)
class ComparedRun:
    """A run, and what it cost. Scores are natural logarithms.

    Attributes:
        name: of the run.
        strategy, seed: those of its search.
        state: ``complete``, ``exhausted``, ``interrupted``, or ``running, or killed``.
        candidates, scored, failed, over: how many candidates it tried, scored, could not score, and found to be beyond
            a limit.
        work_seconds: that building, measuring and scoring took, summed over all workers.
        seconds: for which the search ran, without the pauses between its sessions.
        sessions: how often it was started or resumed.
        best: its best score, as curves have it; NaN where scores can't be compared, or without one.
        best_architecture: the best by its own ranking; None if nothing is scored.
        top: how many of its best the overlap is of.
        over_candidates, over_seconds: the best score so far; empty where scores can't be compared.
        reached_candidates, reached_seconds: what it needed to reach `Comparison.common_best`.
    """

    name: str
    strategy: str | None
    seed: int | None
    state: str
    candidates: int
    scored: int
    failed: int
    over: int
    work_seconds: float
    seconds: float
    sessions: int
    best: float
    best_architecture: str | None
    top: int
    over_candidates: BestSoFar
    over_seconds: BestSoFar
    reached_candidates: int | None
    reached_seconds: float | None

    @property
    def rate(self) -> float:
        """Candidates a second; NaN if the time is not known."""
        return self.candidates / self.seconds if self.seconds > 0 else math.nan

    def __repr__(self) -> str:
        best = "" if math.isnan(self.best) else f", best {exp_text(self.best)}"
        return f"ComparedRun({self.name!r}, {self.candidates:,} candidates in {self.seconds:,.1f} s{best})"


@dataclass(frozen=True, repr=False)
class Comparison:
    """Runs side by side, as `compare` makes it. Scores are natural logarithms.

    Attributes:
        space: name of the space of all runs; None if it is not known.
        measure: the measure that scores are compared by; None if they are not on one scale.
        runs: the runs in the order in which they were given.
        repeats: the runs by settings: those of one setting differ in their seeds alone.
        differing: the settings in which runs differ, such as ``search.strategy``, with the value of each run.
        top: how many of the best the overlap is of.
        overlap: how many of the best architectures of each run are among the best of each, by canonical form.
        fronts: Pareto fronts of score and parameters, and of what else all runs recorded; empty without ``measure``.
        common_best: the score that all runs reached: the lowest of their best ones. NaN where scores can't be compared.
        common_candidates: how many candidates every run tried at least.
        notes: sentences about what is not compared, and why.
    """

    space: str | None
    measure: str | None
    runs: tuple[ComparedRun, ...]
    repeats: tuple[Repeats, ...]
    differing: Mapping[str, tuple[Any, ...]]
    top: int
    overlap: tuple[tuple[int, ...], ...]
    fronts: tuple[JointFront, ...]
    common_best: float
    common_candidates: int
    notes: tuple[str, ...]

    @property
    def has_curves(self) -> bool:
        """Whether the best scores of several runs can be compared."""
        return not math.isnan(self.common_best)

    @property
    def sentence(self) -> str:
        """How the runs are related: repeats of one setting, or of several."""
        if len(self.repeats) == 1:
            return f"{len(self.runs)} runs of one setting: they differ in {self._only_difference}"
        if len(self.repeats) == len(self.runs):
            return f"{len(self.runs)} runs, each of another setting"
        told = ", ".join(
            f"{len(group.runs)} of {group.name}" if len(group.runs) > 1 else group.name
            for group in self.repeats
        )
        return f"{len(self.runs)} runs: {told}"

    @property
    def _only_difference(self) -> str:
        return "the seed alone" if self.differing else "nothing"

    def __repr__(self) -> str:
        names = ", ".join(repr(run.name) for run in self.runs[:4])
        more = ", ..." if len(self.runs) > 4 else ""
        by = f", by {self.measure}" if self.measure else ""
        return f"<Comparison of {len(self.runs)} runs of {self.space}{by}: {names}{more}>"

    def __str__(self) -> str:
        """The runs, the best of each, and what is not compared: a line for each."""
        by = f", by {self.measure}" if self.measure else ""
        lines = [f"{self.space}{by}: {self.sentence}"]
        for run in self.runs:
            best = "" if math.isnan(run.best) else f"best {exp_text(run.best)} of "
            lines.append(
                f"  {run.name}: {best}{run.candidates:,} candidates in {run.seconds:,.1f} s"
            )
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        facts: dict[str, object] = {"space": self.space, "runs": self.sentence}
        if self.measure:
            facts["measure"] = self.measure
        columns = {
            "run": [run.name for run in self.runs],
            "best score": [exp_text(run.best) for run in self.runs],
            "candidates": [f"{run.candidates:,}" for run in self.runs],
            "seconds": [f"{run.seconds:,.1f}" for run in self.runs],
        }
        notes = {f"note {number}": note for number, note in enumerate(self.notes, start=1)}
        return notebook_facts("Comparison", facts | notes) + notebook_table("the runs", columns)

    def to_frame(self) -> pandas.DataFrame:
        """A data frame with a row for each run.

        Its columns: ``run``, ``setting`` (the name of its `Repeats`), ``strategy``, ``seed``, ``state``,
        ``candidates``, ``scored``, ``failed``, ``over``, ``work_seconds``, ``seconds``, ``sessions``,
        ``candidates_per_second``, ``best_score`` and ``best_log_score`` (missing where scores can't be compared),
        ``best_architecture``, ``reached_candidates``, ``reached_seconds``, and ``front_share_COST`` for each front.

        Raises:
            ImportError: pandas is not installed: ``pip install 'swapnas-ext[pandas]'``.
        """
        runs = self.runs
        setting = {name: group.name for group in self.repeats for name in group.runs}
        columns: dict[str, tuple[ColumnType, list[Any]]] = {
            "run": ("string", [run.name for run in runs]),
            "setting": ("string", [setting[run.name] for run in runs]),
        }
        plain: dict[str, ColumnType] = {
            **dict.fromkeys(("strategy", "state"), "string"),
            **dict.fromkeys(("seed", "candidates", "scored", "failed", "over"), "Int64"),
            **{"work_seconds": "float64", "seconds": "float64", "sessions": "Int64"},
        }
        for name, kind in plain.items():
            columns[name] = (kind, [getattr(run, name) for run in runs])
        columns |= {
            "candidates_per_second": ("float64", [run.rate for run in runs]),
            "best_score": ("float64", [exp_or_inf(run.best) for run in runs]),
            "best_log_score": ("float64", [run.best for run in runs]),
            "best_architecture": ("string", [run.best_architecture for run in runs]),
            "reached_candidates": ("Int64", [run.reached_candidates for run in runs]),
            "reached_seconds": ("float64", [run.reached_seconds for run in runs]),
        }
        for front in self.fronts:
            shares = [front.shares.get(run.name) for run in runs]
            columns[f"front_share_{front.cost}"] = ("float64", shares)
        return data_frame(columns)
