"""``swapnas spaces``: lists the search spaces."""

from __future__ import annotations

import inspect
import json
import random

import click
from rich.table import Table

from swapnas_ext import spaces as all_spaces
from swapnas_ext.cli.command import Command
from swapnas_ext.report.shared.text import as_text


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Prints JSON.")
def spaces(as_json: bool) -> None:
    """Lists the search spaces, their options, and an architecture of each."""
    rows = [_row(name) for name in all_spaces.names()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("space", "architectures", "input", "options", "about"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        count = f"{row['architectures']:,}" if row["architectures"] else "many"
        size = " x ".join(map(str, row["input_size"]))
        options = ", ".join(f"{name}={value}" for name, value in row["options"].items())
        table.add_row(row["space"], count, size, options, row["about"])
    click.echo(as_text(table), nl=False)
    click.echo("\nAn architecture of each:")
    for row in rows:
        click.echo(f"  {row['space']}: {row['example']}")


def _row(name: str) -> dict:  # type: ignore[type-arg]
    kind = all_spaces.space_class(name)
    space = kind()
    parameters = inspect.signature(kind).parameters.values()
    return {
        "space": name,
        "architectures": len(space) if hasattr(space, "__len__") else None,
        "input_size": list(space.input_size),
        "options": {p.name: p.default for p in parameters},
        "about": (inspect.getdoc(kind) or "").partition("\n")[0],
        "example": space.sample(random.Random(0)),
    }
