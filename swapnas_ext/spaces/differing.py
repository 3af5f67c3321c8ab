"""Counts the choices in which two architectures differ, from the structures that `SearchSpace.parse` returns."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

_TOKEN = re.compile(r"\w+(?:\.\d+)?|\S")


def tokens(text: str) -> list[str]:
    """The words, numbers and signs of a text."""
    return _TOKEN.findall(text)


def differing(first: Any, second: Any) -> int:
    """In how many single values two structures of the same kind differ: tuples, lists, mappings and data classes,
    inside each other. Symmetric; 0 for equal ones.

    Of sequences of different lengths, the beginning and the end that both have are left out. What remains differs in
    the values at the same places, and in one more: the length. So one value more or less, anywhere, counts one.
    """
    if first == second:
        return 0
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return sum(
            differing(first[key], second[key]) if key in first and key in second else 1
            for key in first.keys() | second.keys()
        )
    if _is_data(first) and type(first) is type(second):
        names = [one.name for one in dataclasses.fields(first)]
        return max(1, sum(differing(getattr(first, n), getattr(second, n)) for n in names))
    if _is_list(first) and _is_list(second):
        if len(first) == len(second):
            return max(1, sum(map(differing, first, second)))
        begin, end = _same(first, second)
        first, second = first[begin : len(first) - end], second[begin : len(second) - end]
        return 1 + sum(map(differing, first, second))  # as far as the shorter one goes
    return 1


def _same(first: Sequence[Any], second: Sequence[Any]) -> tuple[int, int]:
    """How many values at the beginning, and how many of the others at the end, are the same."""
    shorter = min(len(first), len(second))
    begin = 0
    while begin < shorter and first[begin] == second[begin]:
        begin += 1
    end = 0
    while end < shorter - begin and first[-1 - end] == second[-1 - end]:
        end += 1
    return begin, end


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_data(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def has_structure(value: Any) -> bool:
    """Whether `differing` finds values inside this one."""
    return _is_list(value) or _is_data(value) or isinstance(value, Mapping)
