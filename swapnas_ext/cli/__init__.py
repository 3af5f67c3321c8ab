"""The ``swapnas`` command."""

from __future__ import annotations

import atexit
import gc
import json
import sys
from typing import Any

import click

from swapnas_ext._util import keep_freed_memory
from swapnas_ext.cli.analyze import analyze
from swapnas_ext.cli.calibrate import calibrate
from swapnas_ext.cli.command import Group
from swapnas_ext.cli.compare import compare
from swapnas_ext.cli.correlate import correlate
from swapnas_ext.cli.examples import examples
from swapnas_ext.cli.export import export
from swapnas_ext.cli.interrupted import INTERRUPTED, ctrl_c_once, finish_after_ctrl_c
from swapnas_ext.cli.measures import measures
from swapnas_ext.cli.score import score
from swapnas_ext.cli.search import search
from swapnas_ext.cli.show import show
from swapnas_ext.cli.spaces import spaces
from swapnas_ext.cli.validate import validate
from swapnas_ext.patterns import build_info
from swapnas_ext.version import __version__


class _Commands(Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            with ctrl_c_once():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            finish_after_ctrl_c()
            click.echo("interrupted", err=True)
            sys.exit(INTERRUPTED)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="swapnas")
def main() -> None:
    """Training-free scores for neural architecture search."""
    keep_freed_memory()
    # Otherwise the end of the process takes half a second to look through torch's objects for garbage.
    atexit.register(gc.freeze)


@main.command()
def info() -> None:
    """Shows how this package was built, and the machine that it runs on."""
    click.echo(json.dumps(build_info(), indent=2))


for command in (score, search, show, compare, export, calibrate, correlate, analyze, validate):
    main.add_command(command)
for command in (spaces, measures, examples):
    main.add_command(command)
