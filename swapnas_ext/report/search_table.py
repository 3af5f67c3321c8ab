"""What a search found, as a terminal table or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from swapnas_ext.report.scores import as_text, kind_text
from swapnas_ext.search import limits_text

if TYPE_CHECKING:
    from swapnas_ext.search import Ranked, SearchResult
    from swapnas_ext.spaces import SearchSpace


_FRONT = 6
"""Rows of the Pareto front in a terminal."""


def shown_rows(result: SearchResult, top: int) -> tuple[list[Ranked], Sequence[float]]:
    """The family and its sizes, where several sizes were wanted; or else the best, and no sizes."""
    if len(result.targets) > 1 and result.family:
        return result.family, result.targets
    return result.ranked()[:top], ()


def to_json(
    result: SearchResult, about: dict[str, Any], space: SearchSpace | None, *, top: int
) -> str:
    """``best``: by score, best first; ``family``: the best for each wanted size, in their
    order; ``front``: the largest scores for their sizes; and how the search went."""
    family = [
        {"target_params": target, **_entry(row, space)}
        for target, row in zip(result.targets, result.family, strict=False)
    ]
    content = {
        "best": [_entry(row, space) for row in result.ranked()[:top]],
        "family": family,
        "front": [_entry(row, None) for row in result.front],
        "controls": [{"mu": control.mu, "sigma": control.sigma} for control in result.controls],
        "candidates": len(result.candidates),
        "failed": [
            {"architecture": candidate.architecture, "error": candidate.outcome.error}
            for candidate in result.failed
            if candidate.outcome is not None
        ],
        "over": [
            {
                "architecture": candidate.architecture,
                "limit": candidate.outcome.over,
                "flops": candidate.outcome.flops,
                "latency": candidate.outcome.latency,
            }
            for candidate in result.over
            if candidate.outcome is not None
        ],
        "interrupted": result.interrupted,
        "exhausted": result.exhausted,
        "settings": about["settings"],
    }
    return json.dumps(content, indent=2) + "\n"


def _entry(row: Ranked, space: SearchSpace | None) -> dict[str, Any]:
    outcome = row.candidate.outcome
    assert outcome is not None
    entry = {
        "architecture": row.architecture,
        "score": row.score,
        "log_score": row.log_score,
        "params": row.parameters,
        "patterns": row.candidate.patterns,
        "flops": outcome.flops,
        "latency": outcome.latency,
        "latency_low": outcome.latency_low,
        "latency_high": outcome.latency_high,
        "neurons": outcome.neurons,
        "saturation": outcome.saturation,
        "ternary": outcome.ternary,
        "number": row.candidate.number,
        "parents": list(row.candidate.parents),
    }
    if space is not None:
        entry["formats"] = space.formats(row.architecture)
    return entry


def to_table(
    result: SearchResult,
    *,
    top: int,
    about: dict[str, Any] | None = None,
    space: SearchSpace | None = None,
) -> str:
    """The best, with more of the run where ``about`` is given."""
    parts = []
    if about is not None:
        parts.append("\n".join([summary(result, about), *beyond_limits(result, about)]) + "\n\n")
    rows, targets = shown_rows(result, top)
    parts.append(_best(rows, targets))
    if about is not None:
        parts.append("\n" + as_text(_curve(result)) + "\n" + as_text(_front(result)))
        if space is not None and rows:
            parts.append(_formats(rows[0], space))
        parts.append(_failures(result))
    return "".join(parts)


def summary(result: SearchResult, about: dict[str, Any]) -> str:
    """One line: what was searched, and how far it came."""
    search = about["settings"]["search"]
    space = about["settings"]["space"]["name"]
    state = about.get("ended") or "running, or killed"
    scored = sum(candidate.scored for candidate in result.candidates)
    seconds = sum(c.outcome.seconds for c in result.candidates if c.outcome is not None)
    of_all = f" of {search['candidates']:,}" if "candidates" in search else ""
    return (
        f"{space}, {search['strategy']}, seed {search['seed']}: {len(result.candidates):,}{of_all} "
        f"candidates, {scored:,} scored in {seconds:.1f} s of work; {state}"
    )


def beyond_limits(result: SearchResult, about: dict[str, Any]) -> list[str]:
    """Lines about the candidates that were not scored since they are beyond a limit."""
    return limits_text(result.candidates, about["settings"]["search"])


def columns(rows: Sequence[Ranked], targets: Sequence[float]) -> dict[str, list[str]]:
    """Headings and cells of a table of the best; ``targets`` are the sizes wanted, of a family."""
    table = {
        "wanted" if targets else "rank": [f"{target:,.0f}" for target in targets]
        or [str(place + 1) for place in range(len(rows))],
        "score": [f"{row.score:.6g}" for row in rows],
        "params": [f"{row.parameters:,}" for row in rows],
    }
    if any(row.log_factor for row in rows):
        table["patterns"] = [f"{row.candidate.patterns:.6g}" for row in rows]
    if any(row.candidate.ternary for row in rows):
        table["kind"] = [kind_text(row.candidate.ternary) for row in rows]
    for heading, name, unit in (("MFLOPs", "flops", 1e6), ("ms", "latency", 1e-3)):
        values = [getattr(row.candidate.outcome, name) for row in rows]
        if any(value is not None for value in values):
            table[heading] = ["" if value is None else f"{value / unit:.4g}" for value in values]
    return table | {"architecture": [row.architecture for row in rows]}


def _best(rows: Sequence[Ranked], targets: Sequence[float]) -> str:
    cells = columns(rows, targets)
    table = Table(box=None, pad_edge=False)
    for heading in list(cells)[:-1]:
        table.add_column(heading, justify="right")
    table.add_column("architecture", overflow="fold", min_width=20)
    for line in zip(*cells.values(), strict=True):
        table.add_row(*line)
    return as_text(table)


def best_so_far(result: SearchResult) -> list[tuple[int, float]]:
    """(number of the candidate, its score) wherever a new best was found, and the last one."""
    rows = sorted(result.ranked(), key=lambda row: row.candidate.number)
    curve: list[tuple[int, float]] = []
    for row in rows:
        if not curve or row.score > curve[-1][1]:
            curve.append((row.candidate.number, row.score))
    if rows:
        curve.append((rows[-1].candidate.number, curve[-1][1]))
    return curve


def _curve(result: SearchResult) -> Table:
    curve = best_so_far(result)
    table = Table(box=None, pad_edge=False)
    table.add_column("after", justify="right")
    table.add_column("best", justify="right")
    total = len(result.candidates)
    shares = (0.01, 0.03, 0.1, 0.3, 1.0)
    for until in dict.fromkeys(max(1, round(share * total)) for share in shares):
        known = [score for number, score in curve if number < until]
        table.add_row(f"{until:,}", f"{known[-1]:.6g}" if known else "-")
    return table


def _front(result: SearchResult) -> Table:
    front = result.front
    table = Table(box=None, pad_edge=False)
    table.add_column("params", justify="right")
    table.add_column("best score up to this size", justify="right")
    shown = min(len(front), _FRONT)
    for place in range(shown):
        row = front[round(place * (len(front) - 1) / max(1, shown - 1))]
        table.add_row(f"{row.parameters:,}", f"{row.candidate.score:.6g}")
    return table


def _formats(row: Ranked, space: SearchSpace) -> str:
    formats = space.formats(row.architecture)
    if not formats:
        return ""
    lines = "".join(f"  {name}:\n    {text}\n" for name, text in formats.items())
    return f"\nthe first one, for\n{lines}"


def _failures(result: SearchResult) -> str:
    failed = result.failed
    if not failed:
        return ""
    lines = [f"\n{len(failed)} could not be scored:\n"]
    for candidate in failed[:5]:
        assert candidate.outcome is not None
        error = (candidate.outcome.error or "").splitlines()[0]
        lines.append(f"  {candidate.architecture}: {error}\n")
    return "".join(lines)
