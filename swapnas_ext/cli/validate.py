"""``swapnas validate``: whether the scores of a run rank networks that are trained on one's own images."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from swapnas_ext.cli.command import Command
from swapnas_ext.cli.interrupted import INTERRUPTED, finish_after_ctrl_c
from swapnas_ext.cli.messages import EXPECTED, fail, tell, tell_end
from swapnas_ext.cli.output import check_writable
from swapnas_ext.cli.progress import bar
from swapnas_ext.cli.space_choice import SpaceChoice, space_options
from swapnas_ext.cli.space_of_run import space_to_build
from swapnas_ext.correlation import check_scipy
from swapnas_ext.report.shared.text import terminal_width
from swapnas_ext.report.validation.contents import plan_text
from swapnas_ext.report.validation.json_text import to_json
from swapnas_ext.report.validation.text import to_text
from swapnas_ext.search import RunFile, SearchResult
from swapnas_ext.validation import Progress
from swapnas_ext.validation import validate as run_validation

EXAMPLES = """
\b
Examples:
  swapnas validate run.db --images photos/ --networks 12 --minutes 20
  swapnas validate run.db --images photos/ --device cuda --networks 30 --minutes 60
  swapnas validate run.db --images digits/ --size 16 --no-flip --json > validation.json
  swapnas validate darts.db --images photos/ --space darts --network cifar10 --channels 12 --cells 8
"""


@click.command(cls=Command, epilog=EXAMPLES)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--images",
    required=True,
    type=click.Path(path_type=Path),
    help="A folder with a subfolder of images for each class. A fifth of each class is held out.",
)
@click.option(
    "--networks",
    type=click.IntRange(3),
    default=12,
    show_default=True,
    help="How many networks to train: a third each of the best, middle and worst scores.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=20.0,
    show_default=True,
    help="How long all of it may take; no network is begun later.",
)
@click.option(
    "--size",
    type=click.IntRange(1, 16_384),
    help="Width and height of the images, in pixels; smaller ones train faster. Default: what the networks take.",
)
@click.option(
    "--no-flip",
    is_flag=True,
    help="Does not mirror training images: for digits, letters, and whatever differs by left and right.",
)
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    help="Device that trains the networks: cpu, cuda, cuda:1, ...",
)
@click.option("--seed", default=0, show_default=True, help="Seed of weights and mini-batches.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The file that records trained networks; the same command continues it. Default: RUN.validation.json.",
)
@click.option("--again", is_flag=True, help="Starts over, whatever --output has.")
@click.option("--json", "as_json", is_flag=True, help="Prints JSON.")
@space_options
def validate(
    run: Path,
    images: Path,
    networks: int,
    minutes: float,
    size: int | None,
    no_flip: bool,
    device: str,
    seed: int,
    output: Path | None,
    again: bool,
    as_json: bool,
    choice: SpaceChoice,
) -> None:
    """Trains networks of a run file on your images, and shows how well the run's scores rank their accuracies.

    All are trained with one short recipe, as long as fits into --minutes, and judged by images that are held out.
    Prints Spearman's and Kendall's correlations with bootstrap 95 % intervals, beside those of the number of
    parameters. Ctrl-C ends with the result so far; the same command continues.

    By default the final networks of the run's space are trained. --space and its options choose others, such as
    smaller ones.
    """
    record = run.with_name(f"{run.name}.validation.json") if output is None else output
    try:
        check_scipy()
        with RunFile.read(run) as run_file:
            result = SearchResult.of(run_file)
            space = space_to_build(choice, run_file.settings, run)
        check_writable(record, "--output", [(run, "the run file")])
        with _shown() as on_progress:
            found = run_validation(
                result,
                space,
                images,
                networks=networks,
                minutes=minutes,
                size=size,
                flip=not no_flip,
                seed=seed,
                device=device,
                record=record,
                again=again,
                on_progress=on_progress,
            )
    except EXPECTED as error:
        fail(error)
    if found.interrupted:
        finish_after_ctrl_c()
    click.echo(to_json(found) if as_json else to_text(found, terminal_width()), nl=False)
    shown = shlex.quote(str(record))
    if found.interrupted:
        tell_end(
            f"interrupted after {len(found.networks)} of {found.chosen} networks, which are in {shown}; the same "
            "command goes on"
        )
        sys.exit(INTERRUPTED)
    if not found.complete:
        tell_end(
            f"the time was over after {len(found.networks)} of {found.chosen} networks, which are in {shown}; the same "
            "command trains the others"
        )
        return
    tell(f"recorded in {shown}")


@contextmanager
def _shown() -> Iterator[Callable[[Progress], None]]:
    """Shows a progress bar, and what is planned as soon as that is known."""
    with bar("validating") as shown:
        task = shown.add_task("", total=None, state="")
        told = False

        def on_progress(progress: Progress) -> None:
            nonlocal told
            state = progress.phase
            if progress.plan is not None:
                if not told:
                    told = True
                    tell(plan_text(progress.plan))
                done = len(progress.trained)
                state = f"{state}, {done} of {progress.plan.networks} networks done"  # type: ignore[assignment]
            shown.update(task, completed=progress.done, total=progress.total, state=state)

        yield on_progress
