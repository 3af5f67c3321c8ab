"""Reads all rows of a run file at once: columns are checked as a whole, which takes a quarter of the time.

Rows that are not as expected are left to `run_file_checks`, which says what is wrong with which.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from swapnas_ext._util import MadeLater
from swapnas_ext.search.candidate import Candidate, Outcome
from swapnas_ext.search.run_file_checks import (
    BOOLEANS,
    LIMITS,
    NUMBERS_OF_DETAILS,
    TEXTS,
)

_TRUTH = {None: None, 0: False, 1: True}
_NUMBERS = {int, float, type(None)}
_WHOLE = {int, type(None)}
_FLAT = 100
"""Lists and objects in a text, of which no more than so many can lie within each other."""
_NOT_NONE = ("seconds", "finished")
_IN_EVERY_ROW = {
    **{name: {int} for name in ("number", "phase", "parameters")},
    **{name: {str} for name in ("architecture", "form", "parents", "details")},
}


def read_at_once(
    rows: Sequence[tuple[Any, ...]], names: Sequence[str], of_outcome: Sequence[str]
) -> Sequence[Candidate] | None:
    """The candidates of all rows, which are checked at once, and made when they are asked for; None if a row is not as
    expected.

    Args:
        rows: the values of the columns ``names``.
        of_outcome: the columns that are attributes of `Outcome`, in its order.
    """
    if not rows:
        return []
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    if not all(_fits(name, values) for name, values in columns.items()):
        return None
    parents, details = _values(columns["parents"]), _values(columns["details"])
    if not all(map(_are_numbers, parents)) or not _are_details(details):
        return None
    missing = [[one is None for one in columns[name]] for name in ("score", "log_score", "measure")]
    if len(parents) != len(rows) or len(details) != len(rows) or missing[1:] != missing[:2]:
        return None
    read: dict[str, Iterable[Any]] = {**columns, "details": details}
    for name in BOOLEANS:
        read[name] = map(_TRUTH.__getitem__, columns[name])

    def make() -> list[Candidate]:
        return list(
            map(
                Candidate,
                *(columns[name] for name in ("number", "phase", "architecture", "form")),
                map(tuple, parents),
                columns["parameters"],
                map(Outcome, *(read[name] for name in of_outcome)),
                columns["finished"],
            )
        )

    return MadeLater(len(rows), make)


def _values(texts: Sequence[str]) -> list[Any]:
    """The values of JSON texts, parsed in one call; none where some are not JSON or nested deeply."""
    long = (text for text in texts if len(text) > 2 * _FLAT)
    if any(text.count("[") + text.count("{") > _FLAT for text in long):
        return []
    try:
        found: list[Any] = json.loads(f"[{','.join(texts)}]")
    except ValueError:
        return []
    return found


def _are_numbers(value: Any) -> bool:
    return type(value) is list and all(type(number) is int for number in value)


def _fits(name: str, values: Sequence[Any]) -> bool:
    """Whether all values of a column are possible."""
    types = set(map(type, values))
    if name in _IN_EVERY_ROW:
        return types == _IN_EVERY_ROW[name]
    if name in TEXTS:
        return types <= {str, type(None)} and (name != "over" or set(values) <= set(LIMITS))
    if name in BOOLEANS:
        return types <= {int, type(None)} and set(values) <= _TRUTH.keys()
    if name in _NOT_NONE and type(None) in types:
        return False
    # A sum is not finite if a number is not; one that overflows is left to the checks of single rows.
    return types <= _NUMBERS and (types <= _WHOLE or math.isfinite(sum(filter(None, values))))


def _are_details(details: Sequence[Any]) -> bool:
    if not set(map(type, details)) <= {dict}:
        return False
    for name in NUMBERS_OF_DETAILS:
        values = [of_one.get(name) for of_one in details]
        if not _fits(name, values):
            return False
        if name == "patterns" and any(value is not None and value <= 0 for value in values):
            return False
    return True
