"""Compares results that may hold NaN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from swapnas_ext._util.made_later import MadeLater


class SameWithNan:
    """A data class (``eq=False``) whose objects are equal if their fields are, NaN to NaN and lists to tuples too. A
    copy of a result, by pickle or by JSON, is equal to it then."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(same(one, another) for one, another in zip(_of(self), _of(other), strict=True))

    def __hash__(self) -> int:
        return hash(tuple(None if value != value else value for value in _of(self)))


def _of(thing: Any) -> list[Any]:
    return [getattr(thing, field.name) for field in fields(thing) if field.compare]


def same(first: Any, second: Any) -> bool:
    """Whether two values are equal, or both NaN; in lists, tuples and mappings too."""
    if isinstance(first, list | tuple | MadeLater) and isinstance(second, list | tuple | MadeLater):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    return bool(first == second) or bool(first != first and second != second)
