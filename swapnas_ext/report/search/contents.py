"""What the text and the page about a search both show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from swapnas_ext import measures
from swapnas_ext._util import exp_text, significant
from swapnas_ext.report.shared.measured import other_measure
from swapnas_ext.report.shared.text import kind_text
from swapnas_ext.search import (
    COSTS,
    cost_of,
    devices_text,
    limits_text,
    precision_text,
    recorded_pilot,
)

if TYPE_CHECKING:
    from swapnas_ext.search import Distinct, Ranked, SearchResult


def shown_rows(result: SearchResult, top: int) -> tuple[list[Ranked], Sequence[float]]:
    """The rows to show, and the sizes that were wanted of them.

    They are the family where several sizes were wanted. Otherwise they are the best ``top``, without sizes.
    """
    if len(result.targets) > 1 and result.family:
        return result.family, result.targets
    return result.ranked()[:top], ()


def distinct_columns(groups: Sequence[Distinct]) -> dict[str, list[str]]:
    """The best of each group of architectures that are alike, as `columns` has them, with the rank of each in the whole
    ranking, and how many it stands for."""
    cells = columns([group.ranked for group in groups], ())
    cells["rank"] = [f"{group.rank:,}" for group in groups]
    architectures = cells.pop("architecture")
    alike = [f"{group.alike:,}" for group in groups]
    return {**cells, "others alike": alike, "architecture": architectures}


def summary(result: SearchResult, about: dict[str, Any]) -> str:
    """One line: what was searched, by which measure where it is not the default, and how far the search came."""
    search = about["settings"]["search"]
    space = about["settings"]["space"]["name"]
    measure = other_measure(result.candidates)
    by_measure = f", measure {measure}" if measure else ""
    if search.get("objective") is not None:
        by_measure += f", objective {search['objective']}"
    state = about.get("ended") or "running, or killed"
    scored = sum(candidate.scored for candidate in result.candidates)
    seconds = sum(c.outcome.seconds for c in result.candidates if c.outcome is not None)
    of_all = f" of {search['candidates']:,}" if "candidates" in search else ""
    return (
        f"{space}, {search['strategy']}{by_measure}, seed {search['seed']}: "
        f"{len(result.candidates):,}{of_all} candidates, {scored:,} scored in {seconds:.1f} s of workers' time; {state}"
    )


def beyond_limits(result: SearchResult, about: dict[str, Any]) -> list[str]:
    """Lines about the candidates that were not scored because they exceed a limit."""
    return limits_text(result.candidates, about["settings"]["search"])


def head(result: SearchResult, about: dict[str, Any]) -> list[str]:
    """The lines that the text and the page begin with."""
    pilot = recorded_pilot(about)
    told = [] if pilot is None else [pilot["sentence"]]
    return [summary(result, about), *told, *beyond_limits(result, about)]


def precision(result: SearchResult) -> list[str]:
    """Lines about what the latencies of a front of latency do not tell."""
    if result.objective != "latency":
        return []
    lines = (
        precision_text([row.candidate for row in result.front]),
        devices_text(result.candidates),
    )
    return [line for line in lines if line]


def score_text(row: Ranked) -> str:
    """The score; what a float does not hold as ``exp(800)``."""
    return significant(row.score) if 0 < row.score < math.inf else exp_text(row.log_score)


def front_columns(rows: Sequence[Ranked], objective: str) -> dict[str, list[str]]:
    """Architectures of a Pareto front as columns of cells by heading."""
    if objective == "parameters":
        costs, heading = {"params": [f"{row.parameters:,}" for row in rows]}, "size"
    else:
        cost = cost_of(objective)
        values = [cost.recorded(row.candidate) or 0.0 for row in rows]
        costs, heading = (
            {cost.unit: [significant(value / cost.scale, 4) for value in values]},
            "cost",
        )
    return {
        **costs,
        f"best score up to this {heading}": [score_text(row) for row in rows],
        "architecture": [row.architecture for row in rows],
    }


def columns(rows: Sequence[Ranked], targets: Sequence[float]) -> dict[str, list[str]]:
    """The best as columns of cells by heading.

    What the search did not measure has no column. Where scores are regularised by size, what was measured is shown
    beside them: patterns where they were counted, and the unregularised score where it is not the number of
    patterns.

    Args:
        targets: the sizes that were wanted of a family; otherwise empty.
    """
    measure = other_measure(row.candidate for row in rows)
    cells = {
        "wanted" if targets else "rank": [f"{target:,.0f}" for target in targets]
        or [str(place + 1) for place in range(len(rows))],
        f"score ({measure})" if measure else "score": [score_text(row) for row in rows],
        "params": [f"{row.parameters:,}" for row in rows],
    }
    patterns = [row.candidate.patterns for row in rows]
    counted = not all(map(math.isnan, patterns))
    if any(row.log_factor for row in rows):
        measured = [row.candidate.score for row in rows]
        if measured != patterns:
            cells["unregularised"] = [significant(score) for score in measured]
        if counted:
            cells["patterns"] = [
                "" if math.isnan(count) else significant(count) for count in patterns
            ]
    if counted and any(row.candidate.ternary for row in rows):
        cells["kind"] = [kind_text(row.candidate.ternary) for row in rows]
    for name in ("flops", "memory"):
        cost = COSTS[name]
        values = [cost.recorded(row.candidate) for row in rows]
        if any(value is not None for value in values):
            cells[cost.unit] = [_cell(value, cost.scale) for value in values]
    cells |= _latencies(rows)
    return cells | _others(rows) | {"architecture": [row.architecture for row in rows]}


def _latencies(rows: Sequence[Ranked]) -> dict[str, list[str]]:
    """A column of milliseconds for each device; one without a device's name where older run files do not record it."""
    outcomes = [row.candidate.outcome for row in rows if row.candidate.outcome is not None]
    measured = [outcome.latencies for outcome in outcomes]
    names = list(dict.fromkeys(name for found in measured for name in found))
    if not names:
        values = [outcome.latency for outcome in outcomes]
        known = any(value is not None for value in values)
        return {"ms": [_cell(value, 1e-3) for value in values]} if known else {}
    settings = rows[0].final.settings
    is_cpu = not settings.get("latency") and (settings.get("device") or "cpu") == "cpu"
    return {
        f"ms ({'cpu' if is_cpu and len(names) == 1 else name})": [
            _cell(found[name].median if name in found else None, 1e-3) for found in measured
        ]
        for name in names
    }


def _cell(value: float | None, scale: float) -> str:
    return "" if value is None else significant(value / scale, 4)


def _others(rows: Sequence[Ranked]) -> dict[str, list[str]]:
    """Columns of the logarithms of further measures' scores, where the search recorded several."""
    scores = [row.candidate.log_scores for row in rows]
    ranking = {row.candidate.score_of for row in rows}
    names = dict.fromkeys(name for found in scores for name in found if name not in ranking)
    return {
        f"ln {title}": [
            "-" if (value := found.get(name)) is None else significant(value) for found in scores
        ]
        for name, title in measures.titles_of(names).items()
    }


def best_so_far(result: SearchResult) -> list[tuple[int, float]]:
    """The number and the score of each candidate that was the best so far.

    The last candidate comes last, with the best score of all.
    """
    rows = sorted(result.ranked(), key=lambda row: row.candidate.number)
    curve: list[tuple[int, float]] = []
    for row in rows:
        if not curve or row.score > curve[-1][1]:
            curve.append((row.candidate.number, row.score))
    if rows:
        curve.append((rows[-1].candidate.number, curve[-1][1]))
    return curve
