"""What the scores of a run tell, as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from swapnas_ext.correlation import analysis
from swapnas_ext.measures import SATURATED
from swapnas_ext.report.shared.text import columns_text

if TYPE_CHECKING:
    from swapnas_ext.correlation import OperationEffect, Repeatability, Saturation, ScoredRun


def operations_text(effects: Sequence[OperationEffect], shown: int = 10) -> str:
    """The strongest effects: how strong each is, and the mean score by how often the operation occurs."""
    strongest = effects[:shown]
    return columns_text(
        {
            "operation": [effect.operation for effect in strongest],
            "rho": [f"{effect.rho:+.2f}" for effect in strongest],
            "mean score by how often it occurs, in standard deviations": [
                "  ".join(
                    f"{count}: {mean:+.2f}"
                    for count, mean in zip(effect.counts, effect.means, strict=True)
                )
                for effect in strongest
            ],
        }
    )


def trust_text(run: ScoredRun) -> str:
    """How far the scores of a run can be trusted: a line about saturation and a line about repeats."""
    lines = [
        saturation_line(analysis.saturation(run.candidates)),
        repeats_line(analysis.repeatability(run.candidates, run.repeats), run.repeats),
    ]
    return "".join(f"{line}\n" for line in lines if line)


def saturation_line(told: Saturation) -> str:
    """A line about saturated scores; empty where the measure does not tell a saturation."""
    if not told.is_known:
        return ""
    line = (
        f"saturation: {told.architectures:,} of {told.total:,} are saturated, of the best tenth "
        f"{told.among_best:,}"
    )
    if told.best is not None:
        at_least = "at least " if told.best == SATURATED else ""
        line += f"; the highest score is {at_least}{told.best:.1%} of what it could be"
    return line + ("; more --samples tell them apart" if told.among_best else "")


def repeats_line(told: Repeatability | None, repeats: int) -> str:
    """A line about how far the ranking depends on the weights that were drawn."""
    if told is None and repeats < 2:
        return (
            "repeats: one repeat does not tell how far the ranking depends on it; try --repeats 4"
        )
    if told is None:
        return (
            "repeats: how far the ranking depends on them is not known; that takes at least 3 scores, and a "
            "measure that tells the spread of its repeats"
        )
    if told.between == 0:
        return (
            "repeats: they differ as much as architectures do; more of them do not make a ranking"
        )
    needed = ", ".join(f"{wanted:g}: {told.needed(wanted)}" for wanted in (0.9, 0.95, 0.99))
    return (
        f"repeats: two rankings with {told.repeats} agree to {told.agreement_of(told.repeats):.3f}; repeats "
        f"needed for {needed}"
    )


def runs_text(runs: Sequence[ScoredRun]) -> str:
    """A line for each run. The last run is the one that the others are compared with."""
    columns = {
        "run": [run.name for run in runs],
        "samples": [str(run.samples) for run in runs],
        "repeats": [str(run.repeats) for run in runs],
    }
    saturated = [run.saturated for run in runs]
    if any(share is not None for share in saturated):
        columns["saturated"] = ["-" if share is None else f"{share:.1%}" for share in saturated]
    columns["ms a network"] = [f"{run.milliseconds:.0f}" for run in runs]
    agreements = [run.agreement(runs[-1]) for run in runs]
    columns[f"rho with {runs[-1].name}"] = [
        "-" if math.isnan(rho) else f"{rho:.3f}" for rho in agreements
    ]
    return columns_text(columns)
