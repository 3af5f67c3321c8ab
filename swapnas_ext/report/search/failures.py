"""Groups candidates that could not be scored by their reasons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

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


def grouped_failures(failed: Sequence[Candidate]) -> list[Failures]:
    """The failures by their reasons, the most frequent first."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in failed:
        line = _error(candidate).partition("\n")[0].replace(candidate.architecture, "")
        groups.setdefault(_NUMBER.sub("0", line), []).append(candidate)
    largest_first = sorted(groups.values(), key=len, reverse=True)
    return [
        Failures(len(group), group[0].architecture, _error(group[0])) for group in largest_first
    ]


def _error(candidate: Candidate) -> str:
    return (candidate.outcome and candidate.outcome.error) or ""
