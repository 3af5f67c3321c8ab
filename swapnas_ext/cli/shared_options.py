"""Options that several commands share, and what they make."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import click
import torch
from torch import Tensor

from swapnas_ext import data, measures, spaces
from swapnas_ext.capture import MODES
from swapnas_ext.models import initialization
from swapnas_ext.scoring import Scorer, mixed_text
from swapnas_ext.spaces import SearchSpace

Command = TypeVar("Command", bound=Callable[..., Any])

EXPECTED = (ValueError, TypeError, ImportError, OSError, RuntimeError, AssertionError)
"""What is told as an error of the command, without a traceback. Torch asserts that it has CUDA."""


class CommandError(click.ClickException):
    """The command can't do what it was asked for. Python's own exit code for what nobody expected is 1."""

    exit_code = 2


def fail(error: BaseException) -> NoReturn:
    raise CommandError(str(error)) from error


class Quantity(click.ParamType):  # type: ignore[type-arg]  # is no generic class in all of click 8
    """A number with a unit, as 1.5M parameters, or 20ms."""

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


COUNT = Quantity("count", {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12})
SECONDS = Quantity("time", {"s": 1, "ms": 1e-3, "us": 1e-6, "": 1})


@dataclass(frozen=True)
class SpaceChoice:
    """A search space by name, and the options of its class. For JSON."""

    name: str | None
    options: dict[str, Any]

    def get(self) -> SearchSpace:
        """Raises ValueError where there is no name, or no such option."""
        if self.name is None:
            raise ValueError(f"give a --space; known: {', '.join(spaces.names())}")
        try:
            return spaces.get(self.name, **self.renamed())
        except TypeError as error:
            raise ValueError(
                f"--space {self.name} does not take {self.options}: {error}"
            ) from error

    def renamed(self) -> dict[str, Any]:
        """The options by the names that the space's class gives them."""
        assert self.name is not None
        known = inspect.signature(spaces.space_class(self.name)).parameters
        named = {}
        for name, value in self.options.items():
            parameter = _PARAMETERS.get((self.name, name), name)
            if parameter not in known:
                takes = ", ".join(known) or "none"
                raise ValueError(f"--space {self.name} has no option {name}; it has: {takes}")
            named[parameter] = value
        return named


_PARAMETERS = {("darts", "cells"): "layers"}
"""Where a space calls an option of the command otherwise."""


def space_options(command: Command) -> Command:
    """Gives a command ``choice``, a `SpaceChoice`."""

    @click.option(
        "--space",
        metavar="NAME",
        help=f"Search space: {', '.join(spaces.names())}, or MODULE:CLASS of your own.",
    )
    @click.option("--dataset", help="Of nasbench201: cifar10 (default), cifar100, imagenet16-120.")
    @click.option(
        "--network", help="Of darts: workload (default, as published), cifar10, imagenet."
    )
    @click.option(
        "--channels",
        type=click.IntRange(max=100_000),
        help="Of the space's networks. Default: as published.",
    )
    @click.option(
        "--cells",
        type=click.IntRange(max=1_000),
        help="Cells (of nasbench201: a stage). Default: as published.",
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


def space_of_run(given: str | None, about: dict[str, Any]) -> SearchSpace | None:
    """For formats and drawings. A run file is data: modules that it names are not imported, but those of
    this package."""
    if given is not None:
        return spaces.get(given)
    name = about["settings"]["space"]["name"]
    return spaces.get(name) if name in spaces.names() else None


@dataclass(frozen=True)
class Scoring:
    """How networks are scored. For JSON."""

    images: str | None
    samples: int
    size: int | None
    repeats: int
    init: str | None
    tolerance: float | None
    max_memory: int | None
    device: str
    capture: Any
    select: tuple[str, ...]
    autocast: str | None
    channels_last: bool
    measure: str

    @property
    def initialization(self) -> str:
        return self.init or measures.get(self.measure).default_init

    def inputs(self, space: SearchSpace | None) -> Tensor:
        if space is not None:
            return space.inputs(self.samples, self.images, self.size)
        size = data.DEFAULT_SIZE if self.size is None else self.size
        if self.images is None:
            return data.photograph(self.samples, size)
        return data.images(self.images, self.samples, size)

    def scorer(
        self,
        space: SearchSpace | None,
        *,
        seed: int,
        mu: float | None = None,
        sigma: float | None = None,
    ) -> Scorer:
        return Scorer(
            self.inputs(space),
            repeats=self.repeats,
            init=self.initialization,
            mu=mu,
            sigma=sigma,
            seed=seed,
            capture=self.capture,
            select=tuple(self.select) or None,
            tolerance=self.tolerance,
            max_memory=None if self.max_memory is None else self.max_memory << 20,
            autocast=getattr(torch, self.autocast) if self.autocast else None,
            channels_last=self.channels_last,
            measure=self.measure,
        )


def _default_inits() -> str:
    return ", ".join(f"{name}: {measures.get(name).default_init}" for name in measures.names())


def _described_measures() -> str:
    described = ((name, measures.get(name).description) for name in measures.names())
    return "; ".join(f"{name}, {text}" if text else name for name, text in described)


def _known_measure(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        measures.get(value)
    except EXPECTED as error:
        raise click.BadParameter(str(error), context, parameter) from error
    return value


def scoring_options(command: Command) -> Command:
    """Gives a command ``scoring``, a `Scoring`."""

    @click.option(
        "--images",
        type=click.Path(),
        help="A folder of images (as many of each of its subfolders), an .npz or .npy file, one array of it "
        "(file.npz:key), or one image (of flexibert: a text). Default: a photograph (a text) that comes "
        "along.",
    )
    @click.option("--samples", default=16, show_default=True, help="S, images in the mini-batch.")
    @click.option(
        "--size",
        type=click.IntRange(max=16_384),
        help="Pixels; default: what the space's networks take, or 32.",
    )
    @click.option(
        "--repeats", default=1, show_default=True, help="Initialisations to average over."
    )
    @click.option(
        "--tolerance",
        type=float,
        help="Ends the repeats when the mean's standard error is below this part of it, such as 0.01.",
    )
    @click.option("--max-memory", type=int, metavar="MIB", help="For repeats that run at once.")
    @click.option(
        "--init",
        type=click.Choice(initialization.NAMES),
        help=f"Weight initialisation; keep: the model's own. Default: that of the measure ({_default_inits()}).",
    )
    @click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
    @click.option(
        "--capture",
        type=click.Choice(MODES),
        default="auto",
        show_default=True,
        help="Activations that are modules, or all as the operators that compute them; auto: both.",
    )
    @click.option(
        "--select",
        multiple=True,
        metavar="PATTERN",
        help="Only activations of such names, as 'layer4.*'. Repeatable.",
    )
    @click.option(
        "--autocast",
        type=click.Choice(["bfloat16", "float16"]),
        help="Runs the models in this type.",
    )
    @click.option(
        "--measure",
        metavar="NAME",
        default="patterns",
        show_default=True,
        callback=_known_measure,
        help=f"What is measured: {_described_measures()}; or MODULE:NAME of your own.",
    )
    @click.option("--channels-last", is_flag=True, help="Runs the models in this memory layout.")
    @functools.wraps(command)
    def wrapped(*args: Any, **given: Any) -> Any:
        scoring = Scoring(**{name: given.pop(name) for name in Scoring.__dataclass_fields__})
        return command(*args, scoring=scoring, **given)

    return wrapped  # type: ignore[return-value]


def tell_mixed(ternary: Iterable[bool | None]) -> None:
    """A line where scores of binary and of ternary patterns are ranked together."""
    kinds = list(ternary)
    if True in kinds and False in kinds:
        click.echo(mixed_text(f"{kinds.count(True):,}", f"{kinds.count(False):,}"), err=True)


def tell_saturated(saturated: Iterable[bool]) -> None:
    """A line where some of these scores can't be told apart."""
    values = list(saturated)
    if any(values):
        click.echo(
            f"{sum(values):,} of {len(values):,} are saturated, and not told apart well: more --samples "
            "would tell them apart",
            err=True,
        )
