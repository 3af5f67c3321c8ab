"""``swapnas show``: the results in a run file."""

from __future__ import annotations

from pathlib import Path

import click

from swapnas_ext.cli.messages import EXPECTED, fail
from swapnas_ext.cli.output import check_writable, write
from swapnas_ext.cli.space_choice import space_of_run
from swapnas_ext.report.search.json_text import to_json
from swapnas_ext.report.search.text import to_text
from swapnas_ext.search import RunFile, SearchResult

EXAMPLES = """
\b
Examples:
  swapnas show run.db
  swapnas show run.db --json | python -c 'import json, sys; print(json.load(sys.stdin)["best"][0])'
  swapnas show run.db --html page.html
"""


@click.command(epilog=EXAMPLES)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Prints JSON.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Writes a self-contained HTML page.",
)
@click.option("--top", default=10, show_default=True, help="Number of the best to show.")
@click.option(
    "--space", metavar="MODULE:NAME", help="Your own search space, for its drawings and formats."
)
def show(run: Path, as_json: bool, html: Path | None, top: int, space: str | None) -> None:
    """Shows the results in a run file: the best architectures, in the formats of other code bases too, the progress
    of the search, and pictures.

    A search may be writing to the file meanwhile.
    """
    try:
        if as_json and html is not None:
            raise ValueError("give --json or --html, not both")
        if top < 1:
            raise ValueError(f"--top must be at least 1, got {top}")
        if html is not None:
            check_writable(html, "--html")
        with RunFile.read(run) as run_file:
            about = run_file.about
            result = SearchResult.of(run_file)
        drawn = space_of_run(space, about)
        if html is not None:
            from swapnas_ext.report.search.page import to_page  # brings matplotlib

            write(html, to_page(result, about, drawn, top=top))
            click.echo(f"wrote {html}", err=True)
        elif as_json:
            click.echo(to_json(result, about, drawn, top=top), nl=False)
        else:
            click.echo(to_text(result, top=top, about=about, space=drawn), nl=False)
    except EXPECTED as error:
        fail(error)
