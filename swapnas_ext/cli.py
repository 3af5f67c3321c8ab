"""The ``swapnas`` command."""

from __future__ import annotations

import importlib
import io
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from swapnas_ext import data, initialization, spaces
from swapnas_ext.allocator import keep_freed_memory
from swapnas_ext.build_info import build_info
from swapnas_ext.report.profile import to_profile
from swapnas_ext.report.scores import ScoreRow, best_first, score_row, to_csv, to_json, to_table
from swapnas_ext.result import SATURATED, ScoreWarning, SwapScore
from swapnas_ext.scoring import Scorer
from swapnas_ext.sites import MODES
from swapnas_ext.survey import Survey, read
from swapnas_ext.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="swapnas")
def main() -> None:
    """Training-free scores for neural architecture search."""
    keep_freed_memory()


@main.command()
def info() -> None:
    """Shows what was built, and what it runs on."""
    click.echo(json.dumps(build_info(), indent=2))


@dataclass(frozen=True)
class Candidate:
    """A model to score, and how to make it."""

    name: str
    build: Callable[[], nn.Module]


EXAMPLES = """
\b
Examples:
  swapnas score --space nasbench201 \\
    --arch '|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|'
  swapnas score --space nasbench201 --arch-file cells.txt --images photos/ --format csv > scores.csv
  swapnas score --space darts --arch-file genotypes.txt --repeats 32 --profile
  swapnas score --space nasbench201 --all --output nasbench201.csv    # again, to continue it
  swapnas score --model my_package.models:make_net --size 224 --init keep
"""


@main.command(epilog=EXAMPLES)
@click.option(
    "--space", type=click.Choice(spaces.names()), help="Search space of the architectures."
)
@click.option(
    "--arch", "archs", multiple=True, metavar="STRING", help="An architecture. Repeatable."
)
@click.option(
    "--arch-file",
    type=click.File("r"),
    help="A file of architectures, one a line ('-' for standard input; # starts a comment line).",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Every architecture of the space, isomorphic ones once, into the CSV file --output (default: "
    "SPACE-scores.csv). Continues a file that is there.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Processes for --all, one thread each. Default: one a core.",
)
@click.option(
    "--model",
    "factories",
    multiple=True,
    metavar="MODULE:NAME",
    help="A function of yours (or a class) that makes a model. Repeatable.",
)
@click.option("--dataset", help="Of nasbench201: cifar10 (default), cifar100, imagenet16-120.")
@click.option("--network", help="Of darts: workload (default, as published), cifar10, imagenet.")
@click.option("--channels", type=int, help="Of the space's networks. Default: as published.")
@click.option("--cells", type=int, help="Cells (of nasbench201: a stage). Default: as published.")
@click.option(
    "--images",
    type=click.Path(),
    help="A folder of images, an .npz file or one image. Default: a photograph that comes along.",
)
@click.option("--samples", default=16, show_default=True, help="S, images in the mini-batch.")
@click.option("--size", type=int, help="Pixels; default: what the space's networks take, or 32.")
@click.option("--repeats", default=1, show_default=True, help="Initialisations to average over.")
@click.option(
    "--tolerance",
    type=float,
    help="Ends the repeats when the mean's standard error is below this part of it, such as 0.01.",
)
@click.option("--max-memory", type=int, metavar="MIB", help="For repeats that run at once.")
@click.option(
    "--init",
    type=click.Choice(initialization.NAMES),
    default="gaussian",
    show_default=True,
    help="Weight initialisation; keep: the model's own.",
)
@click.option(
    "--mu", type=float, help="Regularise by size: the size wanted, in thousands of parameters."
)
@click.option(
    "--sigma",
    type=float,
    help="Its width, in squared thousands of parameters: exp(-(size-mu)^2/sigma).",
)
@click.option("--seed", default=0, show_default=True, help="Of the first repeat.")
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
    "--autocast", type=click.Choice(["bfloat16", "float16"]), help="Runs the models in this type."
)
@click.option("--channels-last", is_flag=True, help="Runs the models in this memory layout.")
@click.option("--profile", is_flag=True, help="Shows where the time goes, and every layer.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: the terminal."
)
def score(
    space: str | None,
    archs: tuple[str, ...],
    arch_file: io.TextIOBase | None,
    everything: bool,
    workers: int | None,
    factories: tuple[str, ...],
    dataset: str | None,
    network: str | None,
    channels: int | None,
    cells: int | None,
    images: str | None,
    samples: int,
    size: int | None,
    repeats: int,
    tolerance: float | None,
    max_memory: int | None,
    init: str,
    mu: float | None,
    sigma: float | None,
    seed: int,
    device: str,
    capture: Any,
    select: tuple[str, ...],
    autocast: str | None,
    channels_last: bool,
    profile: bool,
    output_format: str,
    output: Path | None,
) -> None:
    """Scores architectures of a search space, or models of your own, best first.

    Everything is checked before the first model is scored. Ctrl-C ends with the scores so far.
    """
    try:
        options = _space_options(space, dataset, network, channels, cells)
        texts = [*archs, *(_lines(arch_file) if arch_file else ())]
        initialized = init not in _OVERWRITING
        if everything:
            wanted_size = _space_to_survey(space, texts, factories, device, options)
        else:
            candidates, wanted_size = _candidates(space, texts, factories, options, initialized)
        target = torch.empty(0, device=device).device
        if output is not None and not output.parent.is_dir():
            raise ValueError(f"--output {output}: there is no folder {output.parent}")
        batch = _mini_batch(images, samples, wanted_size if size is None else size)
        scorer = Scorer(
            batch,
            repeats=repeats,
            init=init,
            mu=mu,
            sigma=sigma,
            seed=seed,
            capture=capture,
            select=select or None,
            tolerance=tolerance,
            max_memory=None if max_memory is None else max_memory << 20,
            autocast=getattr(torch, autocast) if autocast else None,
            channels_last=channels_last,
        )
        if everything:
            path = output or Path(f"{space}-scores.csv")
            _survey(Survey(space, options, scorer, path, initialized), workers)
            return
    except (ValueError, TypeError, ImportError, OSError, RuntimeError, AssertionError) as error:
        _fail(error)

    rows: list[ScoreRow] = []
    interrupted = False
    failure: RuntimeError | None = None
    try:
        for name, result in _scored(candidates, scorer, target, seed):
            rows.append(score_row(name, result))
            if profile:
                click.echo(to_profile(name, result), err=True)
            for text in (*result.missed, *result.notes):
                click.echo(f"{name}: {text}", err=True)
    except KeyboardInterrupt:
        interrupted = True
    except RuntimeError as error:
        failure = error
    if rows or failure is None:
        _write(best_first(rows), output_format, output)
    if failure is not None:
        _fail(failure)
    if interrupted:
        click.echo(f"interrupted: {len(rows)} of {len(candidates)} scored", err=True)
        sys.exit(130)


_OVERWRITING = ("gaussian", "kaiming")
"""Initialisers that leave nothing of the weights that the spaces' networks are built with."""

_SPACE_OPTIONS = {
    "darts": {"network": "network", "channels": "channels", "cells": "layers"},
    "nasbench201": {"dataset": "dataset", "channels": "channels", "cells": "cells"},
}
"""What the options of the command are called by each space."""


def _space_options(
    space: str | None,
    dataset: str | None,
    network: str | None,
    channels: int | None,
    cells: int | None,
) -> dict[str, Any]:
    given = {"dataset": dataset, "network": network, "channels": channels, "cells": cells}
    names = _SPACE_OPTIONS.get(space or "", {})
    for name, value in given.items():
        if value is not None and name not in names:
            raise ValueError(f"--{name} goes with --space {_spaces_with(name)}, not {space}")
    return {names[name]: value for name, value in given.items() if value is not None}


def _spaces_with(option: str) -> str:
    return " or ".join(space for space, names in _SPACE_OPTIONS.items() if option in names)


def _space_to_survey(
    space: str | None,
    texts: list[str],
    factories: tuple[str, ...],
    device: str,
    options: dict[str, Any],
) -> int:
    """Checks what goes with --all; returns the size of the images."""
    if space is None or texts or factories:
        raise ValueError("--all goes with --space, and without --arch, --arch-file and --model")
    if torch.device(device).type != "cpu":
        raise ValueError(f"--all scores on the CPU, not on {device}")
    return spaces.get(space, **options).input_size[1]


def _fail(error: BaseException) -> NoReturn:
    raise click.ClickException(str(error)) from error


def _lines(file: io.TextIOBase) -> Iterator[str]:
    for line in file:
        text = line.strip()
        if text and not text.startswith("#"):
            yield text


def _candidates(
    space_name: str | None,
    texts: list[str],
    factories: tuple[str, ...],
    options: dict[str, Any],
    initialized: bool,
) -> tuple[list[Candidate], int]:
    """What to score, and the image size that it takes."""
    if bool(texts) == bool(factories):
        raise ValueError(
            "give architectures (--arch, --arch-file, with --space) or models (--model)"
        )
    if factories:
        return [Candidate(text, _factory(text)) for text in factories], data.DEFAULT_SIZE
    if space_name is None:
        raise ValueError(f"architectures need --space; known: {', '.join(spaces.names())}")
    space = spaces.get(space_name, **options)
    for text in texts:
        space.check(text)
    return [
        Candidate(text, partial(space.build, text, initialized=initialized)) for text in texts
    ], space.input_size[1]


def _factory(text: str) -> Callable[[], nn.Module]:
    module_name, colon, name = text.partition(":")
    if not colon or not name:
        raise ValueError(
            f"--model takes MODULE:NAME, such as my_package.models:make_net, got {text!r}"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    finally:
        sys.path.pop(0)
    if not callable(factory := getattr(module, name, None)):
        raise ValueError(f"--model {text}: {module_name} has no function or class {name!r}")
    return factory


def _mini_batch(images: str | None, samples: int, size: int) -> Tensor:
    return data.photograph(samples, size) if images is None else data.images(images, samples, size)


def _progress() -> Progress:
    columns = (
        TextColumn("scoring"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("best {task.fields[best]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _scored(
    candidates: list[Candidate], scorer: Scorer, device: torch.device, seed: int
) -> Iterator[tuple[str, SwapScore]]:
    best = -math.inf
    with _progress() as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", ScoreWarning)  # shown with each model
        task = progress.add_task("", total=len(candidates), best="-")
        for candidate in candidates:
            torch.manual_seed(seed)  # for --init keep: the weights that the model draws itself
            try:
                result = scorer(lambda build=candidate.build: build().to(device))
            except Exception as error:  # the model's code may raise anything
                kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
                raise RuntimeError(f"{candidate.name}: {kind}{error}") from error
            yield candidate.name, result
            best = max(best, result.value)
            progress.update(task, advance=1, best=f"{best:.6g}")


def _survey(survey: Survey, workers: int | None) -> None:
    groups = survey.groups()
    total = sum(len(group) for group in groups)
    known = survey.open(groups)
    done = sum(len(group) for group in groups[:known])
    if known:
        click.echo(f"{survey.output} has {done:,} of {total:,}: continuing", err=True)
    best = max((float(row["score"]) for row in read(survey.output)), default=-math.inf)
    scored = 0
    start = time.perf_counter()
    try:
        with _progress() as progress:
            task = progress.add_task("", total=total, completed=done, best=f"{best:.6g}")
            for rows in survey.run(groups, workers or os.cpu_count() or 1):
                scored += 1
                done += len(rows)
                best = max(best, *(row["score"] for row in rows))
                progress.update(task, completed=done, best=f"{best:.6g}")
    except KeyboardInterrupt:
        click.echo(
            f"interrupted: {done:,} of {total:,} are in {survey.output}; the same command continues",
            err=True,
        )
        sys.exit(130)
    seconds = time.perf_counter() - start
    rows = sorted(read(survey.output), key=lambda row: float(row["log_score"]), reverse=True)
    click.echo(f"{total:,} architectures of {len(groups):,} forms are in {survey.output}")
    click.echo(f"scored {scored:,} networks in {seconds:.1f} s; the best:")
    for row in rows[:5]:
        click.echo(f"  {float(row['score']):.6g}  {row['architecture']}")
    saturated = sum(float(row["saturation"]) >= SATURATED for row in rows)
    if saturated:
        click.echo(
            f"{saturated:,} are saturated, and not told apart well: more --samples would tell them apart",
            err=True,
        )


def _write(rows: list[ScoreRow], output_format: str, output: Path | None) -> None:
    text = {"table": to_table, "json": to_json, "csv": to_csv}[output_format](rows)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"wrote {len(rows)} scores to {output}", err=True)


if __name__ == "__main__":
    main()
