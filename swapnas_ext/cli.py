"""The ``swapnas`` command."""

from __future__ import annotations

import importlib
import io
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from swapnas_ext import data, initialization, spaces
from swapnas_ext.build_info import build_info
from swapnas_ext.report.scores import ScoreRow, best_first, score_row, to_csv, to_json, to_table
from swapnas_ext.scoring import Scorer
from swapnas_ext.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="swapnas")
def main() -> None:
    """Training-free scores for neural architecture search."""


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
    "--model",
    "factories",
    multiple=True,
    metavar="MODULE:NAME",
    help="A function of yours (or a class) that makes a model. Repeatable.",
)
@click.option("--dataset", default="cifar10", show_default=True, help="Of the space's networks.")
@click.option("--channels", default=16, show_default=True, help="Of the space's networks.")
@click.option(
    "--cells", default=5, show_default=True, help="Cells a stage, of the space's networks."
)
@click.option(
    "--images",
    type=click.Path(),
    help="A folder of images, an .npz file or one image. Default: a photograph that comes along.",
)
@click.option("--samples", default=16, show_default=True, help="S, images in the mini-batch.")
@click.option("--size", type=int, help="Pixels; default: what the space's networks take, or 32.")
@click.option("--repeats", default=1, show_default=True, help="Initialisations to average over.")
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
    factories: tuple[str, ...],
    dataset: str,
    channels: int,
    cells: int,
    images: str | None,
    samples: int,
    size: int | None,
    repeats: int,
    init: str,
    mu: float | None,
    sigma: float | None,
    seed: int,
    device: str,
    output_format: str,
    output: Path | None,
) -> None:
    """Scores architectures of a search space, or models of your own, best first.

    Everything is checked before the first model is scored. Ctrl-C ends with the scores so far.
    """
    try:
        options = {"dataset": dataset, "channels": channels, "cells": cells}
        texts = [*archs, *(_lines(arch_file) if arch_file else ())]
        candidates, wanted_size = _candidates(space, texts, factories, options)
        target = torch.empty(0, device=device).device
        batch = _mini_batch(images, samples, size or wanted_size)
        scorer = Scorer(batch, repeats=repeats, init=init, mu=mu, sigma=sigma, seed=seed)
    except (ValueError, TypeError, ImportError, OSError, RuntimeError, AssertionError) as error:
        _fail(error)

    rows: list[ScoreRow] = []
    interrupted = False
    try:
        for row in _scored(candidates, scorer, target, seed):
            rows.append(row)
    except KeyboardInterrupt:
        interrupted = True
    except (ValueError, TypeError, RuntimeError) as error:
        _fail(error)
    _write(best_first(rows), output_format, output)
    if interrupted:
        click.echo(f"interrupted: {len(rows)} of {len(candidates)} scored", err=True)
        sys.exit(130)


def _fail(error: BaseException) -> NoReturn:
    raise click.ClickException(str(error)) from error


def _lines(file: io.TextIOBase) -> Iterator[str]:
    for line in file:
        text = line.strip()
        if text and not text.startswith("#"):
            yield text


def _candidates(
    space_name: str | None, texts: list[str], factories: tuple[str, ...], options: dict[str, Any]
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
        Candidate(text, lambda text=text: space.build(text)) for text in texts
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


def _scored(
    candidates: list[Candidate], scorer: Scorer, device: torch.device, seed: int
) -> Iterator[ScoreRow]:
    columns = (
        TextColumn("scoring"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("best {task.fields[best]}"),
        TimeRemainingColumn(),
    )
    best = -math.inf
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(candidates), best="-")
        for candidate in candidates:
            start = time.perf_counter()
            torch.manual_seed(seed)  # for --init keep: the weights that the model draws itself
            model = candidate.build().to(device)
            built = time.perf_counter()
            try:
                result = scorer(model)
            except (ValueError, TypeError, RuntimeError) as error:
                raise type(error)(f"{candidate.name}: {error}") from error
            yield score_row(candidate.name, result, built - start)
            best = max(best, result.value)
            progress.update(task, advance=1, best=f"{best:.6g}")


def _write(rows: list[ScoreRow], output_format: str, output: Path | None) -> None:
    text = {"table": to_table, "json": to_json, "csv": to_csv}[output_format](rows)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"wrote {len(rows)} scores to {output}", err=True)


if __name__ == "__main__":
    main()
