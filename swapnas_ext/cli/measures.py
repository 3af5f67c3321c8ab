"""``swapnas measures``: lists the measures."""

from __future__ import annotations

import json
from typing import Any

import click

from swapnas_ext import measures as all_measures
from swapnas_ext.cli.command import Command
from swapnas_ext.report.shared.text import columns_text, terminal_width


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Prints JSON.")
def measures(as_json: bool) -> None:
    """Lists the measures that --measure takes, the recommended one first."""
    rows = [_row(name) for name in _recommended_first()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    columns = {
        "measure": [row["measure"] for row in rows],
        "weights": [row["weights"] for row in rows],
        "about": [
            f"{row['about']}; recommended" if row["recommended"] else row["about"] for row in rows
        ],
    }
    text = columns_text(columns, terminal_width(), sentences=["weights", "about"])
    click.echo(text, nl=False)
    click.echo(
        "\nOr MODULE:NAME, a measure of your own. --init draws other weights; keep: as they are built."
    )


def _recommended_first() -> list[str]:
    return sorted(all_measures.names(), key=lambda name: name != all_measures.recommended)


def _row(name: str) -> dict[str, Any]:
    measure = all_measures.get(name)
    return {
        "measure": name,
        "weights": measure.default_init,
        "recommended": name == all_measures.recommended,
        "about": measure.description,
    }
