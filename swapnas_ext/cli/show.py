"""``swapnas show``: the results in a run file."""

from __future__ import annotations

from pathlib import Path

import click

from swapnas_ext.cli import config_file
from swapnas_ext.cli.command import Command
from swapnas_ext.cli.messages import EXPECTED, CommandError, fail
from swapnas_ext.cli.output import check_writable, write
from swapnas_ext.cli.recorded_command import config_of
from swapnas_ext.report.search.json_text import to_json
from swapnas_ext.report.search.text import to_text
from swapnas_ext.search import (
    APART,
    RunFile,
    RunFileError,
    SearchResult,
    asked_space_name,
    recorded_space,
)

_OF_RUN = "\0"
"""Stands for --config without a file."""

EXAMPLES = """
\b
Examples:
  swapnas show run.db
  swapnas show run.db --distinct --top 5                 # of similar architectures only the best
  swapnas show run.db --json | python -c 'import json, sys; print(json.load(sys.stdin)["best"][0])'
  swapnas show run.db --html page.html
  swapnas show run.db --config > run.toml && swapnas search --config run.toml --run again.db
"""


def _config(context: click.Context, parameter: click.Parameter, value: str | None) -> bool:
    """Reads options from a file, or returns True where no file is named."""
    if value is None or value == _OF_RUN:
        return value is not None
    path = Path(value)
    try:
        RunFile.read(path).close()
    except (OSError, RunFileError):
        config_file.read(path, context)
        return False
    raise CommandError(
        f"--config {path} is a run file; its configuration: swapnas show {path} --config"
    )


@click.command(cls=Command, epilog=EXAMPLES)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Prints JSON.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Writes a self-contained HTML page.",
)
@click.option("--top", default=10, show_default=True, help="Number of the best to show.")
@click.option(
    "--distinct",
    is_flag=True,
    help="Shows only the best of architectures that are alike, and how many it stands for.",
)
@click.option(
    "--apart",
    type=click.IntRange(min=1),
    metavar="CHOICES",
    help=f"In how many choices architectures differ that are not alike; default {APART}, fewer in a small space. "
    "Implies --distinct.",
)
@click.option(
    "--space", metavar="MODULE:NAME", help="Your own search space, for its drawings and formats."
)
@click.option(
    "--config",
    "prints_config",
    is_flag=False,
    flag_value=_OF_RUN,
    is_eager=True,
    callback=_config,
    metavar="[FILE]",
    help="Prints a TOML file that repeats the run. With a file: takes options from it.",
)
def show(
    run: Path,
    as_json: bool,
    html: Path | None,
    top: int,
    distinct: bool,
    apart: int | None,
    space: str | None,
    prints_config: bool,
) -> None:
    """Shows the results in a run file: the best architectures, in the formats of other code bases too, the progress
    of the search, and pictures.

    A search may be writing to the file meanwhile.
    """
    try:
        if as_json + prints_config + (html is not None) > 1:
            raise ValueError("give one of --json, --html and --config")
        if top < 1:
            raise ValueError(f"--top must be at least 1, got {top}")
        if prints_config:
            click.echo(config_of(run), nl=False)
            return
        if html is not None:
            check_writable(html, "--html")
        with RunFile.read(run) as run_file:
            about = run_file.about
            drawn = recorded_space(about["settings"], space, source=run)
            result = SearchResult.of(run_file, drawn)
        groups = None
        if distinct or apart is not None:
            if drawn is None:
                name = asked_space_name(about["settings"])
                raise ValueError(f"--distinct needs the space of the run: give --space {name}")
            groups = result.distinct(top, apart=apart)
        if html is not None:
            from swapnas_ext.report.search.page import to_page  # brings matplotlib

            write(html, to_page(result, about, drawn, top=top, distinct=groups))
            click.echo(f"wrote {html}", err=True)
        elif as_json:
            click.echo(to_json(result, about, drawn, top=top, distinct=groups), nl=False)
        else:
            click.echo(
                to_text(result, top=top, about=about, space=drawn, distinct=groups), nl=False
            )
    except EXPECTED as error:
        fail(error)
