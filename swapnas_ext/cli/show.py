"""``swapnas show``: the results in a run file."""

from __future__ import annotations

from pathlib import Path

import click

from swapnas_ext.cli import config_file
from swapnas_ext.cli.command import Command
from swapnas_ext.cli.messages import EXPECTED, CommandError, fail, tell
from swapnas_ext.cli.output import check_page, own_prints, write
from swapnas_ext.cli.recorded_command import config_of
from swapnas_ext.cli.watch import watch
from swapnas_ext.report.search.json_text import to_json
from swapnas_ext.report.search.text import to_text
from swapnas_ext.report.shared.text import terminal_width
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
  swapnas show run.db --watch                            # while a search writes to it
  swapnas show run.db --serve 8000                       # the same as a page: http://127.0.0.1:8000
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
@click.option(
    "--watch",
    "watches",
    is_flag=True,
    help="Shows how the search goes while it runs, and ends with it; waits for the file if there is none yet. Ctrl-C "
    "ends the view alone. Where stdout is no terminal: a line every ten seconds.",
)
@click.option(
    "--serve",
    "port",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="Shows the same as a live page, for browsers of this machine, until Ctrl-C. 0 takes a free port.",
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
    watches: bool,
    port: int | None,
    top: int,
    distinct: bool,
    apart: int | None,
    space: str | None,
    prints_config: bool,
) -> None:
    """Shows the results in a run file: the best architectures, in the formats of other code bases too, the progress
    of the search, and pictures.

    A search may be writing to the file meanwhile: --watch and --serve show how it goes.
    """
    try:
        is_live = watches or port is not None
        if as_json + prints_config + (html is not None) + watches + (port is not None) > 1:
            raise ValueError("give one of --json, --html, --config, --watch and --serve")
        if is_live and (distinct or apart is not None or space is not None):
            raise ValueError("--watch and --serve show no --distinct and need no --space")
        if top < 1:
            raise ValueError(f"--top must be at least 1, got {top}")
        if watches:
            watch(run, top)
            return
        if port is not None:
            from swapnas_ext.cli.serve import serve  # brings a web server

            serve(run, top, port)
            return
        if prints_config:
            click.echo(config_of(run), nl=False)
            return
        if html is not None:
            check_page(html, [run])
        with RunFile.read(run) as run_file:
            about = run_file.about
            with own_prints():
                drawn = recorded_space(about["settings"], space, source=run)
            result = SearchResult.of(run_file, drawn)
        groups = None
        if distinct or apart is not None:
            if drawn is None:
                name = asked_space_name(about["settings"])
                raise ValueError(f"--distinct needs the space of the run: give --space {name}")
            groups = result.distinct(top, apart=apart)
        if html is not None:
            from swapnas_ext.report.search.page import to_page  # brings templates

            write(html, to_page(result, about, drawn, top=top, distinct=groups, name=run.name))
            tell(f"wrote {html}")
        elif as_json:
            click.echo(to_json(result, about, drawn, top=top, distinct=groups), nl=False)
        else:
            text = to_text(
                result,
                top=top,
                about=about,
                space=drawn,
                distinct=groups,
                width=terminal_width(),
            )
            click.echo(text, nl=False)
    except EXPECTED as error:
        fail(error)
