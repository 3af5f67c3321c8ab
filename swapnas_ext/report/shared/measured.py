"""Says what was measured, where a reader would not expect it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from swapnas_ext import measures

if TYPE_CHECKING:
    from swapnas_ext.search import Candidate


def other_measure(candidates: Iterable[Candidate]) -> str:
    """Title of the measure that gave the candidates' scores; empty where it is the default measure."""
    names = dict.fromkeys(
        candidate.outcome.measure
        for candidate in candidates
        if candidate.outcome is not None and candidate.outcome.measure is not None
    )
    default = measures.names()[0]
    return ", ".join(measures.title_of(name) for name in names if name != default)
