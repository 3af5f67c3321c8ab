"""Says in words how far measured latencies can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from swapnas_ext.search.candidate import Candidate
from swapnas_ext.search.latency import Latency


def precision_text(front: Sequence[Candidate]) -> str:
    """How many neighbours on a Pareto front of latency can't be told apart, since their 95 % confidence intervals
    overlap; empty for fewer than two.

    Args:
        front: by latency.
    """
    latencies = [_latency(candidate) for candidate in front]
    pairs = list(pairwise(latencies))
    if not pairs:
        return ""
    overlaps = [one.overlaps(other) for one, other in pairs]
    told = (
        f"{sum(overlap is True for overlap in overlaps):,} of {len(pairs):,} neighbours on the front can't be told "
        "apart by latency: their 95 % confidence intervals overlap"
    )
    unknown = sum(overlap is None for overlap in overlaps)
    return (
        f"{told}; of {unknown:,} that is not known, since one was measured once"
        if unknown
        else told
    )


def devices_text(candidates: Sequence[Candidate]) -> str:
    """Which kinds of machines measured the first latency, where there were several; empty otherwise."""
    counts: dict[str, int] = {}
    for candidate in candidates:
        measured = {} if candidate.outcome is None else candidate.outcome.latencies
        for name in list(measured)[:1]:
            counts[name] = counts.get(name, 0) + 1
    if len(counts) < 2:
        return ""
    told = ", ".join(f"{name} ({count:,})" for name, count in counts.items())
    return f"latencies were measured on machines of {len(counts)} kinds, and do not compare: {told}"


def _latency(candidate: Candidate) -> Latency:
    outcome = candidate.outcome
    assert outcome is not None and outcome.latency is not None
    return Latency(outcome.latency, outcome.latency_low, outcome.latency_high)
