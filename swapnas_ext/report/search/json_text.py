"""What a search found, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from swapnas_ext.correlation import caveats
from swapnas_ext.report.shared.json_text import json_text
from swapnas_ext.search import cost_of

if TYPE_CHECKING:
    from swapnas_ext.search import Distinct, Ranked, SearchResult
    from swapnas_ext.spaces import SearchSpace


def to_json(
    result: SearchResult,
    about: dict[str, Any],
    space: SearchSpace | None,
    *,
    top: int,
    distinct: Sequence[Distinct] | None = None,
) -> str:
    """An object with what the search found, and how it went.

    ``best`` has the highest scores, best first. ``distinct``, where it is given, has the best of each group of
    architectures that are alike, with its rank, and how many it stands for. ``family`` has the best for each size that
    was wanted, in the order of the sizes. ``front`` has the architectures that no other beats in both score and the
    cost that ``objective`` names, with the unit of the cost in this JSON; the cost is the size unless the search had
    another objective. ``caveats`` are sentences about where the scores are weak. ``log_scores`` of an architecture are
    those of several measures. What was not measured is null.
    """
    family = [
        {"target_params": target, **_entry(row, space)}
        for target, row in zip(result.targets, result.family, strict=False)
    ]
    content: dict[str, Any] = {
        "best": [_entry(row, space) for row in result.ranked()[:top]],
        "family": family,
        "objective": {
            "name": result.objective,
            "unit": cost_of(result.objective).recorded_unit,
        },
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
                "memory_bytes": candidate.outcome.memory_bytes,
                "latency": candidate.outcome.latency,
            }
            for candidate in result.over
            if candidate.outcome is not None
        ],
        "caveats": caveats(result.ranked()),
        "interrupted": result.interrupted,
        "exhausted": result.exhausted,
        "settings": about["settings"],
    }
    if distinct is not None:
        content["distinct"] = [
            {"rank": group.rank, "others_alike": group.alike, **_entry(group.ranked, space)}
            for group in distinct
        ]
    return json_text(content)


def _entry(row: Ranked, space: SearchSpace | None) -> dict[str, Any]:
    outcome = row.candidate.outcome
    assert outcome is not None  # only scored candidates are ranked
    entry = {
        "architecture": row.architecture,
        "score": row.score,
        "log_score": row.log_score,
        "params": row.parameters,
        "patterns": outcome.patterns,
        "flops": outcome.flops,
        "memory_bytes": outcome.memory_bytes,
        "latency": outcome.latency,
        "latency_low": outcome.latency_low,
        "latency_high": outcome.latency_high,
        "neurons": outcome.neurons,
        "saturation": outcome.saturation,
        "ternary": outcome.ternary,
        "number": row.candidate.number,
        "parents": list(row.candidate.parents),
    }
    if outcome.latencies:
        entry["latencies"] = {
            device: {"median": found.median, "low": found.low, "high": found.high}
            for device, found in outcome.latencies.items()
        }
    if row.candidate.log_scores:
        entry["log_scores"] = row.candidate.log_scores
    if space is not None:
        entry["formats"] = space.formats(row.architecture)
    return entry
