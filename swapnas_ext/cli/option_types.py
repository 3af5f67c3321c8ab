"""Types of options."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from swapnas_ext import examples

Function = TypeVar("Function", bound=Callable[..., Any])
"""The function of a command, which decorators give options."""


class Quantity(click.ParamType):  # type: ignore[type-arg]  # is no generic class in all of click 8
    """A number with a unit, such as 1.5M parameters, or 20ms."""

    def __init__(self, name: str, units: dict[str, float]) -> None:
        self.name = name
        self._units = units

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, int | float):
            return float(value)
        match = re.fullmatch(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([a-zA-Z]*)\s*", value)
        try:
            if match is None or match[2] not in self._units:
                raise ValueError
            return float(match[1]) * self._units[match[2]]
        except ValueError:
            known = ", ".join(unit for unit in self._units if unit)
            self.fail(f"{value!r} is no number, nor one with a unit of {known}", param, ctx)


AUTO = "auto"
"""Stands for a number that a pilot chooses."""


class NumberOrAuto(click.ParamType):  # type: ignore[type-arg]  # is no generic class in all of click 8
    """A whole number from 1 on, or ``auto``."""

    name = "integer|auto"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        if isinstance(value, int):
            return value
        if value == AUTO:
            return AUTO
        if not re.fullmatch(r"\d{1,9}", value) or int(value) == 0:
            self.fail(f"{value!r} is neither a whole number from 1 on nor auto", param, ctx)
        return int(value)


EXAMPLE = "example:"
"""Begins the name of a file that comes with the package, in the place of a path."""


class TablePath(click.Path):
    """A path, or ``example:NAME``."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return super().convert(_of_example(self, value, param, ctx), param, ctx)


class ListFile(click.File):
    """A file to read, standard input (``-``), or ``example:NAME``."""

    def __init__(self) -> None:
        super().__init__("rb")

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return super().convert(_of_example(self, value, param, ctx), param, ctx)


def _of_example(kind: click.ParamType, value: Any, param: Any, ctx: Any) -> Any:  # type: ignore[type-arg]
    if not isinstance(value, str) or not value.startswith(EXAMPLE):
        return value
    try:
        return str(examples.path(value.removeprefix(EXAMPLE)))
    except ValueError as error:
        kind.fail(f"{error} (swapnas examples)", param, ctx)


COUNT = Quantity("count", {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12})
BYTES = Quantity(
    "size",
    {
        "": 1,
        "B": 1,
        "kB": 1e3,
        "KB": 1e3,
        "MB": 1e6,
        "GB": 1e9,
        "KiB": 2**10,
        "MiB": 2**20,
        "GiB": 2**30,
    },
)
SECONDS = Quantity("time", {"s": 1, "ms": 1e-3, "us": 1e-6, "": 1})


def plain_type(annotation: Any) -> type[int | float | str]:
    """The type of an option for a field with this annotation, such as ``int | None``."""
    kinds = (annotation, *get_args(annotation))
    return next(kind for kind in (int, float, str) if kind in kinds)


def completing(names: Callable[[], Sequence[str]]) -> Callable[..., list[str]]:
    """Completes the names of an option in the shell."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
        return [name for name in names() if name.startswith(begun)]

    return complete
