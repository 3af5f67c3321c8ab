"""What scores tell about a space, in a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from swapnas_ext.measures import SATURATED
from swapnas_ext.report.shared.text import columns_text

if TYPE_CHECKING:
    from swapnas_ext.correlation import OperationEffect, Repeatability, Run, Saturation


def operations_text(effects: Sequence[OperationEffect], shown: int = 10) -> str:
    """The strongest, with the mean scores by how often they occur."""
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


def saturation_line(told: Saturation) -> str:
    at_least = "at least " if told.best == SATURATED else ""
    line = (
        f"saturation: {told.architectures:,} of {told.total:,} are saturated, of the best tenth "
        f"{told.among_best:,}; the highest score is {at_least}{told.best:.1%} of what it could be"
    )
    return line + ("; more --samples tell them apart" if told.among_best else "")


def repeats_line(told: Repeatability | None) -> str:
    if told is None:
        return (
            "repeats: one repeat does not tell how far the ranking depends on it; try --repeats 4"
        )
    if told.between == 0:
        return "repeats: they differ as much as architectures do; no number of them makes a ranking"
    needed = ", ".join(f"{wanted:g}: {told.needed(wanted)}" for wanted in (0.9, 0.95, 0.99))
    return (
        f"repeats: two rankings with {told.repeats} agree to {told.agreement_of(told.repeats):.3f}; repeats "
        f"needed for {needed}"
    )


def runs_text(runs: Sequence[Run]) -> str:
    """Several runs, the last one being what the others are compared with."""
    return columns_text(
        {
            "run": [run.name for run in runs],
            "samples": [str(run.samples) for run in runs],
            "repeats": [str(run.repeats) for run in runs],
            "saturated": [f"{run.saturated:.1%}" for run in runs],
            "ms a network": [f"{run.milliseconds:.0f}" for run in runs],
            f"rho with {runs[-1].name}": [
                "-" if math.isnan(rho := run.agreement(runs[-1])) else f"{rho:.3f}" for run in runs
            ],
        }
    )
