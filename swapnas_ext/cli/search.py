"""``swapnas search``: searches a space with SWAP-NAS."""

from __future__ import annotations

import functools
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import Field, asdict, fields
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import click

from swapnas_ext import measures, spaces
from swapnas_ext.cli.command import Command, option_group
from swapnas_ext.cli.interrupted import INTERRUPTED, finish_after_ctrl_c
from swapnas_ext.cli.latency_options import Devices, check_given_again, latency_options
from swapnas_ext.cli.messages import EXPECTED, fail, tell, tell_caveats, tell_end
from swapnas_ext.cli.option_types import (
    AUTO,
    BYTES,
    COUNT,
    SECONDS,
    Function,
    completing,
    plain_type,
)
from swapnas_ext.cli.piloted import piloted
from swapnas_ext.cli.progress import progress_bar
from swapnas_ext.cli.recorded_command import as_recorded, scoring_of
from swapnas_ext.cli.scoring import Scoring, scoring_options
from swapnas_ext.cli.space_choice import SpaceChoice, space_options
from swapnas_ext.cli.worker_options import Hands, workers_options
from swapnas_ext.report.search.text import front_text, to_text
from swapnas_ext.report.shared.text import terminal_width, unbroken, wrapped
from swapnas_ext.scoring import Scorer
from swapnas_ext.search import (
    STRATEGIES,
    RunFile,
    SearchResult,
    SearchSettings,
    is_taken,
    limits_text,
)
from swapnas_ext.search import search as run_search
from swapnas_ext.spaces import SearchSpace

EXAMPLES = """
\b
Examples:
  swapnas search --space darts --candidates 5000 --workers 2 --seed 1 --run run.db
  swapnas search --resume run.db                         # after Ctrl-C, kill -9, a power cut
  swapnas search --space darts --measure swap --target-params 2.5M --run run.db
  swapnas search --space darts --target-params 1.5M,2M,3M,4M --run family.db    # a model of each size
  swapnas search --space darts --samples auto --repeats auto --run run.db       # a pilot chooses them
  swapnas search --space nasbench201 --images photos/ --max-flops 100M --strategy ageing
  swapnas search --space darts --objective memory --max-latency 50ms --run run.db   # a Pareto front
  swapnas search --space darts --objective latency --latency-command 'phone=python measure.py {onnx}'
  swapnas search --space my_package.spaces:MySpace --workers ray:auto --candidates 100000
  swapnas search --space darts --workers slurm:16 --slurm-option partition=cpu --slurm-option timeout_min=600
  swapnas show run.db --html run.html
"""


class _Counts(click.ParamType):  # type: ignore[type-arg]  # is no generic class in all of click 8
    name = "count,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(COUNT.convert(part, param, ctx) for part in value.split(","))


_GIVEN = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.DEFAULT_MAP)
"""Where options come from that users gave: the command line, and --config."""

_OF_SEARCH = {
    setting.name: setting for setting in fields(SearchSettings) if setting.metadata["option"]
}


_OF_UNIT = {"seconds": SECONDS, "bytes": BYTES}
"""The types of options with a unit; the others are numbers of things."""


def _search_options(command: Function) -> Function:
    """An option for each field of `SearchSettings`, with its type, default, help and group."""
    types = get_type_hints(SearchSettings)
    for name, setting in reversed(_OF_SEARCH.items()):
        unset = setting.default in (None, ())
        option: Callable[[Function], Function] = click.option(
            f"--{name.replace('_', '-')}",
            type=_type(types[name], setting),
            default=setting.default,
            show_default=not unset,
            metavar="NAME|MODULE:NAME" if name == "strategy" else None,
            shell_complete=completing(lambda: tuple(STRATEGIES)) if name == "strategy" else None,
            help=setting.metadata["help"],
        )
        command = option_group(setting.metadata["group"])(option)(command)
    return command


def _type(annotation: Any, setting: Field[Any]) -> Any:
    """The type of an option."""
    unit, choices = setting.metadata["unit"], setting.metadata["choices"]
    if get_origin(annotation) is tuple:
        return _Counts()
    if choices:
        return click.Choice(choices)
    return _OF_UNIT.get(unit, COUNT) if unit else plain_type(annotation)


@click.command(cls=Command, epilog=EXAMPLES)
@space_options
@_search_options
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="The run file to make. Default: a name with the date.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    help="The run file of a search to continue. Needs no other options; --workers may be others than before, and "
    "--candidates more. Your own --space, --strategy and --latency-command are given again.",
)
@latency_options
@workers_options
@functools.partial(scoring_options, measure=measures.recommended)
@click.pass_context
def search(
    context: click.Context,
    /,
    choice: SpaceChoice,
    scoring: Scoring,
    run: Path | None,
    resume: Path | None,
    hands: Hands,
    devices: Devices,
    **of_search: Any,
) -> None:
    """Searches a space for architectures with high scores (SWAP-NAS).

    It ranks by the recommended measure; --measure swap ranks by the published SWAP-Score.

    Every candidate is recorded in a run file as soon as it is scored. Ctrl-C ends the search with the result so
    far. --resume continues it, and reaches exactly the uninterrupted result. Of architectures that compute the
    same function, only one is scored.
    """
    try:
        meters = devices.get()
        if resume is not None:
            if run is not None:
                raise ValueError("give --run to start a search, or --resume to continue one")
            choice, scoring, settings = _resumed(
                resume, context, choice, scoring, of_search, devices
            )
            path = resume
            with RunFile.read(resume) as run_file:
                found_by_pilot = run_file.pilot
        else:
            settings = SearchSettings(**of_search)
            path = run or Path(time.strftime(f"search-{choice.name}-%Y%m%d-%H%M%S.db"))
            if path.is_dir():
                raise ValueError(f"--run {path} is a folder: give the name of a file")
            if is_taken(path):
                raise ValueError(
                    f"{path} exists: continue it with --resume {path}, or choose another file"
                )
        space = choice.get()
        if resume is None:
            scoring, found_by_pilot = piloted(
                scoring, space, seed=settings.seed, workers=hands.local
            )
        elif found_by_pilot is not None:
            tell(found_by_pilot["sentence"])
        scorer = _scorer(scoring, space, settings, resume)
        tell(scoring.sentence(scorer))
        with progress_bar("searching", settings.candidates) as on_progress:
            found = run_search(
                space,
                scorer,
                settings,
                workers=hands.get(scoring.device, path),
                history=path,
                device=scoring.device,
                latency=meters,
                on_progress=on_progress,
                command=as_recorded(
                    "search", choice, scoring, found_by_pilot, **devices.as_recorded()
                ),
            )
    except EXPECTED as error:
        fail(error)
    _conclude(found, path, settings)


def _scorer(
    scoring: Scoring, space: SearchSpace, settings: SearchSettings, resume: Path | None
) -> Scorer:
    try:
        return scoring.scorer(space, seed=settings.seed)
    except TypeError as error:
        if resume is None:
            raise
        raise ValueError(f"{resume} is damaged, in how its networks are scored: {error}") from error
    except FileNotFoundError as error:
        if resume is None:
            raise
        raise FileNotFoundError(
            f"{error}; {resume} was made with what was there: give its new place with --images"
        ) from error


def _resumed(
    path: Path,
    context: click.Context,
    choice: SpaceChoice,
    scoring: Scoring,
    of_search: dict[str, Any],
    devices: Devices,
) -> tuple[SpaceChoice, Scoring, SearchSettings]:
    """The settings of a run file. Those on the command line must be the same."""
    with RunFile.read(path) as run_file:
        made_with = run_file.settings
    if made_with.get("command") is None:
        raise ValueError(
            f"{path} was not made by this command: continue it in Python, with "
            f"swap.search.search(..., history={str(path)!r})"
        )
    try:
        check_given_again(path, made_with.get("latency") or [], devices)
        return _as_made(path, context, choice, scoring, of_search, made_with)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} was made by another version: its settings have no {error}"
        ) from error


def _as_made(
    path: Path,
    context: click.Context,
    choice: SpaceChoice,
    scoring: Scoring,
    of_search: dict[str, Any],
    made_with: dict[str, Any],
) -> tuple[SpaceChoice, Scoring, SearchSettings]:
    command = made_with["command"]
    given = {name for name in context.params if context.get_parameter_source(name) in _GIVEN}
    was = SpaceChoice(**command["space"])
    if choice.name not in (None, was.name):
        raise ValueError(f"{path} is a run of the space {was.name}, not of {choice.name}")
    if choice.name is None and was.name not in spaces.names():
        raise ValueError(f"{path} is a run of a space of your own: give --space {was.name} too")
    for name, value in choice.options.items():
        if was.options.get(name) != value:
            raise ValueError(f"{path} was made with {name}={was.options.get(name)}, not {value}")
    own = made_with["search"]["strategy"]
    if (
        ":" in own and "strategy" not in given
    ):  # a module that a run file names is not imported unasked
        raise ValueError(f"{path} is a run of a strategy of your own: give --strategy {own} too")
    old = scoring_of(command)
    old["select"] = tuple(old["select"])
    new = asdict(scoring)
    settings = dict(made_with["search"])
    settings["target_params"] = tuple(settings["target_params"])
    for name in given:
        if name == "images":  # they may have moved: the search compares their content
            old[name] = new[name]
        if new.get(name) == AUTO and command.get("pilot") is not None:
            continue  # as its pilot chose
        if name in old and new[name] != old[name]:
            raise ValueError(f"{path} was made with {name}={old[name]}, not {new[name]}")
        if name in _OF_SEARCH:
            settings[name] = of_search[name]  # the search checks which may differ
    return was, Scoring(**old), SearchSettings(**settings)


def _conclude(found: SearchResult, path: Path, settings: SearchSettings) -> None:
    if found.interrupted:
        finish_after_ctrl_c()
    shown = shlex.quote(str(path))
    ranked = found.ranked()
    resume, show = unbroken(f"swapnas search --resume {shown}"), f"swapnas show {shown}"
    if not ranked:
        tell_end(f"interrupted before anything was scored; {resume} starts over")
        sys.exit(INTERRUPTED)
    width = terminal_width()
    for line in limits_text(found.candidates, settings.for_json()):
        click.echo(wrapped(line, width))
    click.echo(to_text(found, top=5, width=width), nl=False)
    if settings.objective is not None:
        click.echo(front_text(found, width), nl=False)
    tell_caveats(ranked)
    if found.interrupted:
        tell_end(
            f"interrupted at {len(found.candidates):,} of {settings.candidates:,}: continue with {resume}"
        )
        sys.exit(INTERRUPTED)
    if len(found.candidates) > settings.candidates:
        tell(
            f"{shown} was at {len(found.candidates):,} candidates already, and ends with them, not with "
            f"{settings.candidates:,}"
        )
    if found.exhausted:
        tell(
            f"ended at {len(found.candidates):,} of {settings.candidates:,}: no other architectures within the limits "
            "were found"
        )
    page = unbroken(f"{show} --html page.html")
    tell(f"all results: {unbroken(show)}\na page: {page}")
