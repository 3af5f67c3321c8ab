"""Checks the content of run files, which may be damaged, or come from anyone."""

from __future__ import annotations

import math
import sys
from typing import Any

from swapnas_ext._util import parsed_json
from swapnas_ext.search.candidate import Candidate, Outcome
from swapnas_ext.search.costs import COSTS

TEXTS = ("measure", "over", "error")
LIMITS = (None, "flops", "memory", "latency")
BOOLEANS = ("ternary", "saturated")
_NEEDED = (("space", "name", str), ("search", "strategy", str), ("search", "seed", int))
YEAR_10000 = 253_402_300_800  # in seconds since the epoch
NUMBERS_OF_DETAILS = ("patterns", "patterns_std", "saturation")


def checked_candidate(
    number: Any,
    phase: Any,
    architecture: Any,
    form: Any,
    parents: str,
    parameters: Any,
    outcome: Outcome,
    finished: Any,
) -> Candidate:
    """The candidate of a row, whose ``parents`` are JSON. Raises ValueError or TypeError if it is not valid."""
    numbers = tuple(parsed_json(parents, "its parents"))
    return _checked(
        Candidate(number, phase, architecture, form, numbers, parameters, outcome, finished)
    )


def _checked(candidate: Candidate) -> Candidate:
    """Returns the candidate. Raises ValueError if its values are not possible."""
    whole = (candidate.number, candidate.phase, candidate.parameters, *candidate.parents)
    texts = (candidate.architecture, candidate.form)
    if (
        not all(type(value) is int for value in whole)
        or not all(type(value) is str for value in texts)
        or not _is_outcome(candidate.outcome)
        or not is_number(candidate.finished)
    ):
        raise ValueError(f"row {candidate.number} is not a valid candidate")
    return candidate


def _is_outcome(outcome: Outcome | None) -> bool:
    if outcome is None or outcome.seconds is None or not isinstance(outcome.details, dict):
        return False
    for name, value in vars(outcome).items():
        if value is None or name == "details":
            continue
        if name == "score" and value == math.inf:  # its logarithm is finite, and ranks
            continue
        kind = str if name in TEXTS else bool if name in BOOLEANS else None
        if not (is_number(value) if kind is None else type(value) is kind):
            return False
    details = [outcome.details.get(name) for name in NUMBERS_OF_DETAILS]
    if not all(value is None or is_number(value) for value in details):
        return False
    is_whole = (outcome.score is None) == (outcome.log_score is None) == (outcome.measure is None)
    return (
        is_whole and outcome.over in LIMITS and (outcome.patterns is None or outcome.patterns > 0)
    )


def problem_of(about: dict[str, Any]) -> str | None:
    """What is wrong with the ``about`` of a run file; None if nothing is."""
    settings = about.get("settings")
    parts = settings if isinstance(settings, dict) else {}
    for part, name, kind in _NEEDED:
        inside = parts.get(part)
        if not isinstance(inside, dict) or type(inside.get(name)) is not kind:
            return f"its settings have no {name} of its {part}"
    for name, value in parts["search"].items():
        if name == "target_params":
            fits = isinstance(value, list) and all(map(is_number, value))
        else:
            fits = name == "strategy" or value is None or is_number(value)
        if name == "objective":
            fits = value in (None, *COSTS)
        if not fits:
            return f"its {name} is {value!r}"
    pilot = recorded_pilot(about)
    if pilot is not None and not _is_pilot(pilot):
        return f"its pilot is {pilot!r}"
    controls = about.get("controls", [])
    if not isinstance(controls, list) or not all(map(_is_control, controls)):
        return f"its controls are {controls!r}"
    sessions = about.get("sessions", [])
    if not isinstance(sessions, list) or not all(map(_is_session, sessions)):
        return f"its sessions are {sessions!r:.200}"
    return None


def recorded_pilot(about: dict[str, Any]) -> Any:
    """The pilot in the ``about`` of a run file; None without one."""
    command = about["settings"].get("command")
    return command.get("pilot") if isinstance(command, dict) else None


def _is_pilot(value: object) -> bool:
    """Whether a value has what is read of a pilot."""
    if not isinstance(value, dict) or type(value.get("sentence")) is not str:
        return False
    size = value.get("size")
    return (size is None or _is_count(size)) and all(
        _is_count(value.get(name)) for name in ("samples", "repeats")
    )


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _is_control(value: object) -> bool:
    """Whether a value is a pair of mu and sigma."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(part is None or is_number(part) for part in value)
    )


def _is_session(value: object) -> bool:
    """Whether a value is a pair of a start and an end. A clock that was set back may have made the end the earlier."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and _is_time(value[0])
        and (value[1] is None or _is_time(value[1]))
    )


def _is_time(value: object) -> bool:
    """Whether a value is a time in seconds since the epoch, with which one can calculate."""
    return isinstance(value, int | float) and 0 <= value < YEAR_10000 and is_number(value)


def is_number(value: object) -> bool:
    """Whether a value is a number that a float holds. JSON has larger ones."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
    )
