"""Says in words how many candidates are beyond the limits of a search."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from swapnas_ext.search.candidate import Candidate, Outcome


def flops_text(count: float) -> str:
    return f"{count / 1e6:,.4g} MFLOPs" if count >= 1e4 else f"{count:,.4g} FLOPs"


def seconds_text(seconds: float) -> str:
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{seconds / unit:,.4g} {name}"
    return f"{seconds / 1e-6:,.4g} us"


def memory_text(size: float) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:,.4g} {name}"
    return f"{size:,.4g} bytes"


def limits_text(candidates: Sequence[Candidate], settings: Mapping[str, Any]) -> list[str]:
    """One line for each limit on FLOPs, peak memory or latency in a search's ``settings``: how many candidates are
    beyond it, and how precise measured latencies are."""
    outcomes = [candidate.outcome for candidate in candidates if candidate.outcome is not None]
    lines = []
    if settings.get("max_flops") is not None:
        limit = flops_text(settings["max_flops"])
        lines.append(f"{_over(outcomes, 'flops')} take more than {limit}")
    if settings.get("max_peak_memory") is not None:
        limit = memory_text(settings["max_peak_memory"])
        lines.append(f"{_over(outcomes, 'memory')} need more than {limit}")
    if settings.get("max_latency") is not None:
        limit = seconds_text(settings["max_latency"])
        sure = _how_sure(outcomes, settings["max_latency"])
        lines.append(f"{_over(outcomes, 'latency')} took longer than {limit}{sure}")
    return lines


def _over(outcomes: Sequence[Outcome], limit: str) -> str:
    return f"{sum(outcome.over == limit for outcome in outcomes):,} of {len(outcomes):,}"


def _how_sure(outcomes: Sequence[Outcome], limit: float) -> str:
    spreads, too_close = [], 0
    for outcome in outcomes:
        low, middle, high = outcome.latency_low, outcome.latency, outcome.latency_high
        if low is None or middle is None or high is None:  # not measured, or from an older run file
            continue
        spreads.append((high - low) / 2 / middle)
        too_close += low <= limit <= high
    if not spreads:
        return ""
    return (
        f"; latencies are known to within {statistics.median(spreads):.1%} (95 % confidence, the median "
        f"candidate); too close to the limit to tell: {too_close:,}"
    )
