"""Raises the errors of checks, also under ``python -O``, which leaves out assert statements."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager


def require(kept: object, sentence: str) -> None:
    if not kept:
        raise AssertionError(sentence)


@contextmanager
def own_random_numbers_only(what: str) -> Iterator[None]:
    """Requires that Python's global random numbers are not used."""
    before = random.getstate()
    yield
    require(
        random.getstate() == before,
        f"{what} draws from Python's global random numbers: draw all from the rng, or no search can be repeated",
    )
