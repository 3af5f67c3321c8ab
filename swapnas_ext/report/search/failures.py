"""Groups candidates that could not be scored by their reasons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from swapnas_ext.search import Candidate

_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class Failures:
    """Candidates with one reason. Reasons that differ in their numbers alone, such as shapes, are one."""

    count: int
    architecture: str
    """The first of them."""
    error: str
    """Its error."""


class FailureGroups:
    """Groups failures as they come."""

    def __init__(self) -> None:
        self._groups: dict[str, Failures] = {}

    def add(self, candidate: Candidate) -> None:
        error = _error(candidate)
        line = error.partition("\n")[0].replace(candidate.architecture, "")
        reason = _NUMBER.sub("0", line)
        known = self._groups.get(reason) or Failures(0, candidate.architecture, error)
        self._groups[reason] = replace(known, count=known.count + 1)

    def largest_first(self) -> list[Failures]:
        return sorted(self._groups.values(), key=lambda group: group.count, reverse=True)


def grouped_failures(failed: Sequence[Candidate]) -> list[Failures]:
    """The failures by their reasons, the most frequent first."""
    groups = FailureGroups()
    for candidate in failed:
        groups.add(candidate)
    return groups.largest_first()


def _error(candidate: Candidate) -> str:
    return (candidate.outcome and candidate.outcome.error) or ""
