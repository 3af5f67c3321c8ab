"""What a search's text and its page both show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from swapnas_ext.report.shared.text import kind_text
from swapnas_ext.search import limits_text

if TYPE_CHECKING:
    from swapnas_ext.search import Ranked, SearchResult


def shown_rows(result: SearchResult, top: int) -> tuple[list[Ranked], Sequence[float]]:
    """The family and its sizes, where several sizes were wanted; or else the best, and no sizes."""
    if len(result.targets) > 1 and result.family:
        return result.family, result.targets
    return result.ranked()[:top], ()


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
