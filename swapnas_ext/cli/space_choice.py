"""The options that choose a search space."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import Any

import click

from swapnas_ext import spaces
from swapnas_ext.cli.command import option_group
from swapnas_ext.cli.option_types import Function, completing
from swapnas_ext.cli.output import own_prints
from swapnas_ext.spaces import SearchSpace


@dataclass(frozen=True)
class SpaceChoice:
    """A search space by name, and the options of its class. All values fit JSON."""

    name: str | None
    options: dict[str, Any]

    def get(self) -> SearchSpace:
        """Makes the space. Raises ValueError if there is no name, or no such option."""
        if self.name is None:
            raise ValueError(f"give a --space; known: {', '.join(spaces.names())}")
        try:
            with own_prints():
                return spaces.get(self.name, **self.renamed())
        except TypeError as error:
            raise ValueError(
                f"--space {self.name} does not take {self.options}: {error}"
            ) from error

    def renamed(self) -> dict[str, Any]:
        """The options by the names of the parameters of the space's class."""
        assert self.name is not None
        known = inspect.signature(spaces.maker(self.name)).parameters
        named = {}
        for name, value in self.options.items():
            parameter = _PARAMETERS.get((self.name, name), name)
            if parameter not in known:
                takes = ", ".join(known) or "none"
                raise ValueError(f"--space {self.name} has no option {name}; it has: {takes}")
            if known[parameter].annotation in _WHOLE and not isinstance(value, int):
                raise ValueError(
                    f"--space {self.name} does not take {self.options}: {name} must be a whole number, got {value!r}"
                )
            named[parameter] = value
        return named


_PARAMETERS = {("darts", "cells"): "layers"}
"""Parameters whose name differs from that of the option: by space and option."""


_WHOLE = (int, "int", "int | None")
"""Annotations of parameters that take whole numbers."""


@option_group("Search space")
def space_options(command: Function) -> Function:
    """Gives a command ``choice``, a `SpaceChoice`."""

    @click.option(
        "--space",
        metavar="NAME",
        shell_complete=completing(spaces.names),
        help=f"Search space: {', '.join(spaces.names())}, or MODULE:NAME of your own: a class, "
        "a space, or a function with type hints.",
    )
    @click.option("--dataset", help="For nasbench201: cifar10 (default), cifar100, imagenet16-120.")
    @click.option(
        "--network", help="For darts: workload (default, as published), cifar10, imagenet."
    )
    @click.option(
        "--channels",
        type=click.IntRange(max=100_000),
        help="Channels of the space's networks. Default: as published.",
    )
    @click.option(
        "--cells",
        type=click.IntRange(max=1_000),
        help="Cells of a network (nasbench201: of a stage). Default: as published.",
    )
    @click.option(
        "--space-option",
        "others",
        multiple=True,
        metavar="NAME=VALUE",
        help="Another option of the space, see `swapnas spaces`. Repeatable.",
    )
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        space: str | None,
        dataset: str | None,
        network: str | None,
        channels: int | None,
        cells: int | None,
        others: tuple[str, ...],
        **rest: Any,
    ) -> Any:
        given: dict[str, Any] = {
            "dataset": dataset,
            "network": network,
            "channels": channels,
            "cells": cells,
        }
        options = {name: value for name, value in given.items() if value is not None}
        for text in others:
            name, equals, value = text.partition("=")
            if not equals or not name.isidentifier():
                raise click.UsageError(f"--space-option takes NAME=VALUE, got {text!r}")
            options[name] = _value(value)
        return command(*args, choice=SpaceChoice(space, options), **rest)

    return wrapped  # type: ignore[return-value]


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
