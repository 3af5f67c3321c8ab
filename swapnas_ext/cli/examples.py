"""``swapnas examples``: lists the example files."""

from __future__ import annotations

import click

from swapnas_ext import examples as example_files
from swapnas_ext.cli.command import Command
from swapnas_ext.cli.option_types import EXAMPLE


@click.command(cls=Command)
def examples() -> None:
    """Lists the example files that come with the package, and their paths.

    The name of one can be given in the place of a path: --table example:nasbench201, or --arch-file example:cells.
    """
    for name in example_files.names():
        click.echo(f"{EXAMPLE}{name}: {example_files.about(name)}\n  {example_files.path(name)}")
