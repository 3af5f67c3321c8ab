"""Says what was measured, where a reader would not expect it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from swapnas_ext import measures

if TYPE_CHECKING:
    from swapnas_ext.search import Candidate


def other_measure(candidates: Iterable[Candidate]) -> str:
    """Title of the measure that the candidates' scores are of; empty where it is the default measure."""
    of_scores = dict.fromkeys(candidate.score_of for candidate in candidates)
    names = [name for name in of_scores if name is not None]
    default = measures.names()[0]
    return ", ".join(measures.title_of(name) for name in names if name != default)
