"""Reads run files of format 2, which version 0.1.0 wrote. They do not name the measure."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

from swapnas_ext.measures import SATURATED
from swapnas_ext.search.candidate import Candidate, Outcome
from swapnas_ext.search.run_file_checks import checked_candidate, is_number

FORMAT = 2
_NEEDED = ("number", "phase", "architecture", "form", "parents", "parameters", "finished")
_OUTCOME = (
    *("patterns", "patterns_std", "log_composite", "neurons", "saturation", "flops"),
    *("latency", "seconds", "over", "error"),
    *("ternary", "saturated", "latency_low", "latency_high"),  # the first files lack these
)
_SAME = ("neurons", "flops", "latency", "latency_low", "latency_high", "seconds", "over", "error")
_DETAILS = ("patterns", "patterns_std", "saturation")


def candidates(connection: sqlite3.Connection) -> list[Candidate]:
    """All recorded candidates, by number. Raises ValueError or TypeError if a row is not of this format."""
    there = {row[1] for row in connection.execute("PRAGMA table_info(candidate)")}
    columns = [name if name in there else f"NULL AS {name}" for name in _OUTCOME]
    query = f"SELECT {', '.join((*_NEEDED, *columns))} FROM candidate ORDER BY number"
    return [_candidate(row) for row in connection.execute(query)]


def _candidate(row: tuple[Any, ...]) -> Candidate:
    number, phase, architecture, form, parents, parameters, finished, *outcome = row
    known = _outcome(dict(zip(_OUTCOME, outcome, strict=True)))
    return checked_candidate(
        number, phase, architecture, form, parents, parameters, known, finished
    )


def _outcome(row: dict[str, Any]) -> Outcome:
    booleans = {0: False, 1: True}
    known = {name: row[name] for name in _SAME}
    known["ternary"] = booleans.get(row["ternary"], row["ternary"])
    details = {name: row[name] for name in _DETAILS if row[name] is not None}
    patterns, composite = row["patterns"], row["log_composite"]
    if patterns is None:
        return Outcome(details=details, **known)
    numbers = (*details.values(), *(() if composite is None else (composite,)))
    if not all(map(is_number, numbers)) or patterns <= 0:
        raise ValueError("its scores are not valid numbers")
    if composite is not None:
        details["heavy_tails"] = True
        return Outcome(
            "composite", math.exp(composite), composite, None, details, saturated=False, **known
        )
    std = row["patterns_std"]
    return Outcome(
        "patterns",
        patterns,
        math.log(patterns),
        None if std is None else std / patterns,
        details,
        saturated=_saturated(row),
        **known,
    )


def _saturated(row: dict[str, Any]) -> bool | None:
    if row["saturated"] is not None:
        known: bool | None = {0: False, 1: True}.get(row["saturated"], row["saturated"])
        return known
    # At first, the saturation of ternary patterns was relative to 2^S too, and may be far above 1.
    saturation = row["saturation"]
    return None if saturation is None else SATURATED <= saturation <= 1 / SATURATED
