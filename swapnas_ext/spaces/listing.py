"""Counts the architectures of spaces that list them."""

from __future__ import annotations

from swapnas_ext.spaces.base import SearchSpace
from swapnas_ext.spaces.decisions import DecisionSpace


def listed_count(space: SearchSpace, most: int) -> int | None:
    """The number of architectures that iterating over the space gives; None if the space does not list them, or if
    they may be more than ``most``."""
    if not hasattr(space, "__iter__"):
        return None
    if isinstance(space, DecisionSpace) and (
        space.combinations is None or space.combinations > most
    ):
        return None
    count = len(space) if hasattr(space, "__len__") else None
    return count if count is not None and count <= most else None
