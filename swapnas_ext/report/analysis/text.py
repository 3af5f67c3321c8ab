"""What the scores of a run tell, as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from swapnas_ext._util import decimal
from swapnas_ext.correlation import analysis
from swapnas_ext.measures import SATURATED
from swapnas_ext.report.shared.text import NO_BREAK, architectures_text, columns_text, wrapped

if TYPE_CHECKING:
    from swapnas_ext.correlation import (
        Agreement,
        OperationEffect,
        Repeatability,
        Saturation,
        ScoredRun,
    )


def operations_text(
    effects: Sequence[OperationEffect], width: int | None = None, shown: int = 10
) -> str:
    """The strongest effects: how strong each is, and the mean score by how often the operation occurs.

    Args:
        width: of the terminal; None: whole lines.
    """
    strongest = effects[:shown]
    means = "mean score by how often it occurs, in standard deviations"
    cells = {
        "operation": [effect.operation for effect in strongest],
        "rho": [decimal(effect.rho, 2, sign=True) for effect in strongest],
        means: [_means_text(effect) for effect in strongest],
    }
    return columns_text(cells, width, sentences=[means])


def _means_text(effect: OperationEffect) -> str:
    """The mean score for each count, of equal widths."""
    return f"{NO_BREAK} ".join(
        f"{count}:{NO_BREAK}{decimal(mean, 2, sign=True).rjust(5, NO_BREAK)}"
        for count, mean in zip(effect.counts, effect.means, strict=True)
    )


def trust_text(run: ScoredRun, width: int | None = None) -> str:
    """How far the scores of a run can be trusted: a line about saturation and a line about repeats."""
    lines = [
        saturation_line(analysis.saturation(run.alike)),
        repeats_line(analysis.repeatability(run.alike, run.repeats), run.repeats),
    ]
    return "".join(f"{wrapped(line, width)}\n" for line in lines if line)


def saturation_line(told: Saturation) -> str:
    """A line about saturated scores; empty where the measure does not tell a saturation."""
    if not told.is_known:
        return ""
    line = f"saturation: none of {told.total:,} is saturated"
    if told.architectures:
        line = (
            f"saturation: {told.architectures:,} of {told.total:,} are saturated, of the best tenth "
            f"{told.among_best:,}"
        )
    if told.best is not None:
        at_least = "at least " if told.best == SATURATED else ""
        line += f"; the highest score is {at_least}{told.best:.1%} of what it could be"
    return line


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


def agreement_columns(told: Agreement) -> dict[str, list[str]]:
    """Columns of cells by heading: how far each of several measures can be trusted. What is not known of any has no
    column."""
    measures = told.measures
    columns = {
        "measure": [one.title for one in measures],
        "scored": [f"{one.scored:,}" for one in measures],
        "rho with the others": [decimal(one.with_others, 3) for one in measures],
    }
    if any(one.repeatability for one in measures):
        columns["two rankings agree"] = [
            "-"
            if (known := one.repeatability) is None
            else decimal(known.agreement_of(known.repeats), 3)
            for one in measures
        ]
    if any(one.saturated for one in measures):
        columns["saturated"] = [f"{one.saturated:,}" for one in measures]
    columns[f"of the best tenth by {measures[0].title}"] = [
        "-" if math.isnan(one.shared) else f"{one.shared:.0%}" for one in measures
    ]
    return columns


def rho_columns(told: Agreement) -> dict[str, list[str]]:
    """Columns of cells by heading: Spearman's rho of each measure with each, and with the number of parameters."""
    columns = {"rho": list(told.titles)}
    for place, name in enumerate(told.titles):
        columns[name] = [decimal(line[place], 2) for line in told.rho]
    return columns


def best_columns(told: Agreement) -> dict[str, list[str]]:
    """Columns of cells by heading: the architecture that is best by each measure."""
    known = [one for one in told.measures if one.best]
    return {
        "the best by": [one.title for one in known],
        "architecture": [one.best for one in known],
    }


def missing_lines(told: Agreement, total: int) -> list[str]:
    """A line for each measure that could not read some of the networks, with the most frequent reason."""
    return [
        f"no {one.title} for {total - one.scored:,} of {total:,}: {one.missing}"
        for one in told.measures
        if one.missing
    ]


def agreement_text(told: Agreement, total: int, width: int | None = None) -> str:
    """How far several measures agree, which can be trusted, and which architecture is the best by each.

    Args:
        total: how many networks were scored.
        width: of the terminal; None: whole lines.
    """
    tables = [
        columns_text(agreement_columns(told), width),
        columns_text(rho_columns(told), width),
        architectures_text(best_columns(told), width),
    ]
    return "\n".join(tables) + "".join(
        f"{wrapped(line, width)}\n" for line in missing_lines(told, total)
    )


def runs_text(runs: Sequence[ScoredRun], width: int | None = None) -> str:
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
    columns[f"rho with {runs[-1].name}"] = [decimal(rho, 3) for rho in agreements]
    return columns_text(columns, width)
