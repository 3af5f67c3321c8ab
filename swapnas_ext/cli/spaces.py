"""``swapnas spaces``: lists the search spaces."""

from __future__ import annotations

import inspect
import json
import random

import click

from swapnas_ext import spaces as all_spaces
from swapnas_ext.cli.command import Command
from swapnas_ext.report.shared.text import columns_text, terminal_width


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Prints JSON.")
def spaces(as_json: bool) -> None:
    """Lists the search spaces, their options, and an architecture of each."""
    rows = [_row(name) for name in all_spaces.names()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    columns = {
        "space": [row["space"] for row in rows],
        "architectures": [
            f"{row['architectures']:,}" if row["architectures"] else "many" for row in rows
        ],
        "input": [" x ".join(map(str, row["input_size"])) for row in rows],
        "options": [
            ", ".join(f"{name}={value}" for name, value in row["options"].items()) for row in rows
        ],
        "about": [row["about"] for row in rows],
    }
    text = columns_text(columns, terminal_width(), sentences=["options", "about"])
    click.echo(text, nl=False)
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
