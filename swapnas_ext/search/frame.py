"""The candidates of a search as a data frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from swapnas_ext._util import ColumnType, data_frame
from swapnas_ext.search.candidate import Candidate, Outcome

if TYPE_CHECKING:
    import pandas

    from swapnas_ext.search.search_result import Ranked

_UNSCORED = Outcome()


def candidates_frame(candidates: Sequence[Candidate], ranked: Sequence[Ranked]) -> pandas.DataFrame:
    """A row for each candidate, by number; ``ranked`` has those with a score, best first. `SearchResult.to_frame` says
    which columns there are."""
    rows = sorted(candidates, key=lambda candidate: candidate.number)
    outcomes = [candidate.outcome or _UNSCORED for candidate in rows]
    places = {row.candidate.number: (place, row) for place, row in enumerate(ranked, start=1)}
    found = [places.get(candidate.number) for candidate in rows]

    def of_outcome(name: str) -> list[Any]:
        return [getattr(outcome, name) for outcome in outcomes]

    columns: dict[str, tuple[ColumnType, Sequence[Any]]] = {
        "number": ("Int64", [one.number for one in rows]),
        "rank": ("Int64", [None if one is None else one[0] for one in found]),
        "architecture": ("string", [one.architecture for one in rows]),
        "score": ("float64", [math.nan if one is None else one[1].score for one in found]),
        "log_score": ("float64", [math.nan if one is None else one[1].log_score for one in found]),
        "unregularised_score": ("float64", of_outcome("score")),
        "spread": ("float64", of_outcome("spread")),
        "measure": ("string", [one.score_of for one in rows]),
        "parameters": ("Int64", [one.parameters for one in rows]),
        "flops": ("Int64", of_outcome("flops")),
        "memory_bytes": ("Int64", of_outcome("memory_bytes")),
        "latency_seconds": ("float64", of_outcome("latency")),
        "latency_low_seconds": ("float64", of_outcome("latency_low")),
        "latency_high_seconds": ("float64", of_outcome("latency_high")),
    }
    latencies = [outcome.latencies for outcome in outcomes]
    devices = list(dict.fromkeys(name for of_one in latencies for name in of_one))
    for name in devices if len(devices) > 1 else ():
        of_device = [of_one.get(name) for of_one in latencies]
        for part, attribute in (("", "median"), ("low_", "low"), ("high_", "high")):
            values = [None if one is None else getattr(one, attribute) for one in of_device]
            columns[f"latency_{part}seconds_{name}"] = ("float64", values)
    columns |= {
        "patterns": ("float64", of_outcome("patterns")),
        "neurons": ("Int64", of_outcome("neurons")),
        "ternary": ("boolean", of_outcome("ternary")),
        "saturation": ("float64", of_outcome("saturation")),
        "saturated": ("boolean", of_outcome("saturated")),
    }
    log_scores = [one.log_scores for one in rows]
    for name in dict.fromkeys(name for scores in log_scores for name in scores):
        columns[f"log_score_{name}"] = ("float64", [scores.get(name) for scores in log_scores])
    columns |= {
        "phase": ("Int64", [one.phase for one in rows]),
        "parents": ("object", [one.parents for one in rows]),
        "form": ("string", [one.form for one in rows]),
        "over": ("string", of_outcome("over")),
        "error": ("string", of_outcome("error")),
        "seconds": ("float64", of_outcome("seconds")),
        "finished": ("datetime64[ns, UTC]", [one.finished for one in rows]),
    }
    return data_frame(columns)
