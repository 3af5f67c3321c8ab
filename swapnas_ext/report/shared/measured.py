"""Says what was measured, where a reader would not expect it."""

from __future__ import annotations

import inspect
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


def definition(name: str | None) -> str:
    """What a score is, in one sentence: its measure, and what that measures.

    Args:
        name: of the measure. One of elsewhere is not imported: a run file may name any module.
    """
    name = measures.names()[0] if name is None else name
    if name not in measures.names():
        return f"the measure {name}."
    told = inspect.getdoc(type(measures.get(name))) or ""
    first = " ".join(told.partition("\n\n")[0].split()).partition(". ")[0].replace("`", "")
    return f"{measures.title_of(name)}: {first.rstrip('.:')}."
