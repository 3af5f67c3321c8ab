"""``swapnas compare``: runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from swapnas_ext.cli.command import Command
from swapnas_ext.cli.messages import EXPECTED, fail, tell
from swapnas_ext.cli.output import check_page, write
from swapnas_ext.report.comparison.json_text import to_json
from swapnas_ext.report.comparison.text import to_text
from swapnas_ext.report.shared.text import terminal_width
from swapnas_ext.search import compare as compare_runs

EXAMPLES = """
\b
Examples:
  swapnas compare evolution.db random.db
  swapnas compare evolution-*.db random-*.db --html compared.html     # repeats with several seeds
  swapnas compare swap.db both.db --measure swap                      # both.db: --measure capacity,swap
  swapnas compare a.db b.db --top 50 --json > compared.json
"""


@click.command(cls=Command, epilog=EXAMPLES)
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Of so many of the best of each run, counts those that two runs share.",
)
@click.option(
    "--measure",
    metavar="NAME",
    help="The measure to compare by, which all runs recorded. Default: the one that they rank by.",
)
@click.option("--json", "as_json", is_flag=True, help="Prints JSON.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Writes a self-contained HTML page, instead of the tables.",
)
def compare(
    runs: tuple[Path, ...], top: int, measure: str | None, as_json: bool, html: Path | None
) -> None:
    """Compares runs of one space: the settings that differ, the best score so far over candidates and seconds, Pareto
    fronts, the architectures that their best have in common, and cost.

    Runs that differ in their seeds alone are repeats of one setting: their mean and range are shown. Scores are
    compared only where they are on one scale; otherwise a sentence says why not.

    Searches may be writing to the files meanwhile.
    """
    try:
        if as_json and html is not None:
            raise ValueError("give one of --json and --html")
        if html is not None:
            check_page(html, runs)
        comparison = compare_runs(runs, top=top, measure=measure)
        if html is not None:
            from swapnas_ext.report.comparison.page import to_page  # brings templates

            write(html, to_page(comparison))
            tell(f"wrote {html}")
        else:
            width = terminal_width()
            click.echo(to_json(comparison) if as_json else to_text(comparison, width), nl=False)
    except EXPECTED as error:
        fail(error)
