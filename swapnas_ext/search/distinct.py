"""Of architectures that are alike, the best: what is worth reading of a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swapnas_ext.spaces import SearchSpace

if TYPE_CHECKING:
    from swapnas_ext.search.search_result import Ranked

APART = 3
"""Choices in which architectures differ that are not alike."""
_SAMPLE = 200
"""How many architectures tell in how many choices those of a space can differ, at most."""
LOOKED_AT = 5_000
"""How many of the best are looked at. Beyond them the scores are far from the best."""


@dataclass(frozen=True)
class Distinct:
    """An architecture that no better one is alike to.

    Attributes:
        ranked: the architecture and its score.
        rank: its place in the whole ranking, from 1.
        alike: how many architectures with lower scores, among those looked at, are alike to it and to no better one
            of these.
    """

    ranked: Ranked
    rank: int
    alike: int


def distinct_of(
    rows: Sequence[Ranked], space: SearchSpace, *, top: int, apart: int | None
) -> list[Distinct]:
    """The first ``top`` architectures of a ranking that differ from all better ones among them in ``apart`` choices; by
    default `APART`, or fewer where architectures have no more choices. Looks at no more than the best `LOOKED_AT`.
    """
    apart = _default_apart(rows, space) if apart is None else apart
    kept: list[tuple[int, Ranked]] = []
    alike: list[int] = []
    for rank, row in enumerate(rows[:LOOKED_AT], start=1):
        near = next(
            (
                place
                for place, (_, better) in enumerate(kept)
                if space.distance(better.architecture, row.architecture) < apart
            ),
            None,
        )
        if near is not None:
            alike[near] += 1
        elif len(kept) < top:
            kept.append((rank, row))
            alike.append(0)
    return [Distinct(row, rank, count) for (rank, row), count in zip(kept, alike, strict=True)]


def _default_apart(rows: Sequence[Ranked], space: SearchSpace) -> int:
    """In a space of three choices, architectures that differ in all of them would leave one of each."""
    sampled = rows[:: len(rows) // _SAMPLE + 1]
    furthest = max(
        (space.distance(rows[0].architecture, row.architecture) for row in sampled), default=1
    )
    return max(1, min(APART, furthest - 1))
