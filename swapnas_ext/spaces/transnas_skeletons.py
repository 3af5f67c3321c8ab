"""Skeletons of the TransNAS-Bench-101 spaces: which ones there are, and their neighbours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache

from swapnas_ext.spaces.transnas_networks import doubles, halves

MICRO_SKELETON = (4, 1, 4, 1, 4)
DEPTHS = range(4, 7)  # modules of a macro skeleton, and how many of them may change what
DOUBLINGS = range(1, 4)
HALVINGS = range(1, 5)
_MODULE_CODES = (1, 2, 3, 4)


def fault(modules: tuple[int, ...]) -> tuple[int, str] | None:
    """Where a macro skeleton violates the space, and why; None for a skeleton of the space."""
    everything = range(len(modules))
    doubling = [i for i in everything if doubles(modules[i])]
    halving = [i for i in everything if halves(modules[i])]
    for places, allowed, what in (
        (everything, DEPTHS, "modules"),
        (doubling, DOUBLINGS, "modules that double the channels"),
        (halving, HALVINGS, "modules that halve the image"),
    ):
        count, most = len(places), allowed[-1]
        if count not in allowed:
            place = places[most] if count > most else len(modules)
            return place, f"expected {allowed[0]} to {most} {what}, found {count}"
    return None


@lru_cache(1)
def skeletons() -> list[tuple[int, ...]]:
    """All skeletons of the macro space, shorter ones first."""
    codes = (itertools.product(_MODULE_CODES, repeat=depth) for depth in DEPTHS)
    return [modules for modules in itertools.chain(*codes) if fault(modules) is None]


def replaced(modules: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The skeletons with one code changed, some of which are not in the space."""
    for i, old in enumerate(modules):
        yield from (
            (*modules[:i], code, *modules[i + 1 :]) for code in _MODULE_CODES if code != old
        )


def longer(modules: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The skeletons with one module added, some of which are not in the space."""
    for i in range(len(modules) + 1):
        yield from ((*modules[:i], code, *modules[i:]) for code in _MODULE_CODES)


def shorter(modules: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The skeletons with one module removed, some of which are not in the space."""
    return ((*modules[:i], *modules[i + 1 :]) for i in range(len(modules)))
