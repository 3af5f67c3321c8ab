"""The files by name. README.md beside them tells where they are from."""

from __future__ import annotations

from pathlib import Path

_FILES = {
    "nasbench201": (
        "nasbench201.csv",
        "256 cells of NAS-Bench-201 with their CIFAR-10 accuracies, drawn at random",
    ),
    "nasbench201-best": (
        "nasbench201-best.csv",
        "the 64 cells of NAS-Bench-201 with the highest test accuracy on CIFAR-10, of all 15,625",
    ),
    "cells": ("cells.txt", "eight cells of NAS-Bench-201, one a line"),
    "genotypes": ("genotypes.txt", "four published genotypes of the DARTS space, one a line"),
}


def names() -> list[str]:
    """The names of the example files."""
    return list(_FILES)


def path(name: str) -> Path:
    """The path of an example file: a ``.csv`` table of accuracies, or a ``.txt`` list of architectures.

    Raises:
        ValueError: there is none of this name.
    """
    return Path(__file__).parent / _file_and_purpose(name)[0]


def about(name: str) -> str:
    """What an example file has, in a few words.

    Raises:
        ValueError: there is none of this name.
    """
    return _file_and_purpose(name)[1]


def _file_and_purpose(name: str) -> tuple[str, str]:
    if name not in _FILES:
        raise ValueError(f"there is no example {name!r}; there are: {', '.join(_FILES)}")
    return _FILES[name]
