"""``swapnas spaces``: lists the search spaces, or architectures of one."""

from __future__ import annotations

import inspect
import json
import random

import click

from swapnas_ext import spaces as all_spaces
from swapnas_ext.cli.command import Command
from swapnas_ext.cli.messages import EXPECTED, fail
from swapnas_ext.cli.option_types import completing
from swapnas_ext.cli.output import own_prints
from swapnas_ext.cli.space_choice import SpaceChoice
from swapnas_ext.report.shared.text import columns_text, terminal_width

EXAMPLES = """
\b
Examples:
  swapnas spaces
  swapnas spaces darts --sample 10 > genotypes.txt
  swapnas spaces nasbench201 --sample 100 | swapnas score --space nasbench201 --arch-file -
"""


@click.command(cls=Command, epilog=EXAMPLES)
@click.argument("space", required=False, shell_complete=completing(all_spaces.names))
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="COUNT",
    help="Prints this many random architectures of SPACE, one a line, for --arch-file. Of architectures that "
    "compute the same function, only one is printed.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of --sample.")
@click.option("--json", "as_json", is_flag=True, help="Prints JSON.")
def spaces(space: str | None, sample: int | None, seed: int, as_json: bool) -> None:
    """Lists the search spaces, their options, and an architecture of each.

    SPACE is the name of one, or MODULE:NAME of your own. With --sample it prints architectures of it.
    """
    if (space is None) != (sample is None):
        raise click.UsageError("SPACE and --sample go together: swapnas spaces darts --sample 10")
    try:
        if space is not None and sample is not None:
            with own_prints():
                architectures = _sampled(space, sample, seed)
            text = json.dumps(architectures, indent=2) if as_json else "\n".join(architectures)
            click.echo(text)
            return
    except EXPECTED as error:
        fail(error)
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


_DRAWS = 10_000
"""So many in a row that are all known end a sample: hardly any others are left."""


def _sampled(name: str, count: int, seed: int) -> list[str]:
    """Different random architectures. Raises ValueError if the space does not have so many."""
    space = SpaceChoice(name, {}).get()
    rng = random.Random(seed)
    found: dict[str, str] = {}
    in_vain = 0
    while len(found) < count:
        architecture = space.sample(rng)
        form = space.canonical(architecture)
        in_vain = in_vain + 1 if form in found else 0
        if in_vain == _DRAWS:
            raise ValueError(
                f"--sample {count}: {_DRAWS:,} draws in a row found no other than the {len(found):,} different "
                f"architectures so far; take at most {len(found):,}"
            )
        found.setdefault(form, architecture)
    return list(found.values())


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
