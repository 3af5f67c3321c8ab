"""Run files with made-up candidates."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from swapnas_ext.search import Candidate, Outcome, RunFile, SearchSettings

SPACE = {"name": "nasbench201", "channels": 2}
SCORER = {"inputs": "0a1b", "measure": "patterns", "samples": 16, "repeats": 1, "init": "gaussian"}


def outcome(score: float | None, **known: Any) -> Outcome:
    """The outcome of a score; of None: an error."""
    if score is None:
        return Outcome(error="ValueError: no", seconds=0.5)
    log_score = math.log(score) if score > 0 else math.nan
    return Outcome(
        **{"measure": "patterns", "score": score, "log_score": log_score, "seconds": 0.5, **known}
    )


def candidates(
    outcomes: Sequence[Outcome],
    *,
    architectures: Sequence[str] | None = None,
    parameters: Sequence[int] | None = None,
    start: float = 1000.0,
) -> list[Candidate]:
    """Candidates that are finished a second after each other."""
    names = (
        [f"a{number}" for number in range(len(outcomes))]
        if architectures is None
        else architectures
    )
    sizes = (
        [100 * (number + 1) for number in range(len(outcomes))]
        if parameters is None
        else parameters
    )
    return [
        Candidate(number, 0, name, f"form {name}", (), size, one, start + number + 1)
        for number, (name, size, one) in enumerate(zip(names, sizes, outcomes, strict=True))
    ]


def settings_of(
    *, seed: int = 0, space: dict[str, Any] = SPACE, scorer: dict[str, Any] = SCORER, **search: Any
) -> dict[str, Any]:
    """Settings as run files record them."""
    made = SearchSettings(seed=seed, **search).for_json()
    return {
        "space": space,
        "scorer": {**scorer, "seed": seed},
        "search": made,
        "device": "cpu",
        "command": None,
    }


def run_file(
    path: Path,
    outcomes: Sequence[Outcome],
    *,
    controls: Sequence[Sequence[float | None]] = ((None, None),),
    ended: str = "complete",
    sessions: Sequence[tuple[float, float | None]] | None = ((1000.0, 1020.0),),
    architectures: Sequence[str] | None = None,
    parameters: Sequence[int] | None = None,
    **settings: Any,
) -> Path:
    """A run file of these outcomes. ``sessions``: None writes a file of an earlier version, without them."""
    with RunFile.create(path, settings_of(**settings)) as made:
        made.record(candidates(outcomes, architectures=architectures, parameters=parameters))
        made.write_about(ended=ended, controls=list(controls))
    write_sessions(path, sessions)
    return path


def write_sessions(path: Path, sessions: object) -> None:
    """Records these sessions, whatever they are; None: none at all."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM about WHERE name = 'sessions'")
        if sessions is not None:
            connection.execute("INSERT INTO about VALUES ('sessions', ?)", (json.dumps(sessions),))
    connection.close()
