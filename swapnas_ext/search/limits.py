"""Says in words how many candidates are beyond the limits of a search."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
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


_LIMITS: tuple[tuple[str, str, str, Callable[[float], str]], ...] = (
    ("max_flops", "flops", "take more than", flops_text),
    ("max_peak_memory", "memory", "need more than", memory_text),
    ("max_latency", "latency", "took longer than", seconds_text),
)
"""Settings, the names of what they limit, and words."""


def limits_text(candidates: Sequence[Candidate], settings: Mapping[str, Any]) -> list[str]:
    """Lines about the limits on FLOPs, peak memory and latency in a search's ``settings``: how many candidates are
    beyond each, where some are, and how precise measured latencies are."""
    outcomes = [candidate.outcome for candidate in candidates if candidate.outcome is not None]
    lines = []
    for setting, name, beyond, text in _LIMITS:
        limit = settings.get(setting)
        if limit is None:
            continue
        over = sum(outcome.over == name for outcome in outcomes)
        parts = [f"{over:,} of {len(outcomes):,} {beyond} {text(limit)}"] if over else []
        if name == "latency":
            parts += _how_sure(outcomes, limit)
        if parts:
            lines.append("; ".join(parts))
    return lines


def _how_sure(outcomes: Sequence[Outcome], limit: float) -> list[str]:
    spreads, too_close = [], 0
    for outcome in outcomes:
        low, middle, high = outcome.latency_low, outcome.latency, outcome.latency_high
        if low is None or middle is None or high is None:  # not measured, or from an older run file
            continue
        spreads.append((high - low) / 2 / middle)
        too_close += low <= limit <= high
    if not spreads:
        return []
    parts = [
        f"latencies are known to within {statistics.median(spreads):.1%} (95 % confidence, the median candidate)"
    ]
    return [*parts, f"too close to the limit to tell: {too_close:,}"] if too_close else parts
