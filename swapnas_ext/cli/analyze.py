"""``swapnas analyze``: what the scores in run files show."""

from __future__ import annotations

from pathlib import Path

import click

from swapnas_ext.cli.command import Command
from swapnas_ext.cli.messages import EXPECTED, fail, tell, tell_caveats
from swapnas_ext.cli.output import check_page, own_prints, write
from swapnas_ext.correlation import agreement, analysis, check_scipy
from swapnas_ext.report.analysis.text import (
    agreement_text,
    operations_text,
    runs_text,
    trust_text,
)
from swapnas_ext.report.shared.text import terminal_width, wrapped
from swapnas_ext.search import RunFile, recorded_space

EXAMPLES = """
\b
Examples:
  swapnas analyze run.db --html analysis.html
  swapnas analyze measures.db               # correlate with --measure swap,capacity,nwot: which agree?
  swapnas analyze s16.db s32.db s64.db      # correlate with --samples 16, 32, 64: do they agree?
"""


@click.command(cls=Command, epilog=EXAMPLES)
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Writes a self-contained HTML page about the first run file.",
)
@click.option("--space", metavar="MODULE:NAME", help="Your own search space, for its operations.")
def analyze(runs: tuple[Path, ...], html: Path | None, space: str | None) -> None:
    """Shows which operations score high, which scores are saturated, and how many repeats make a ranking stable.
    Of several measures (--measure swap,capacity,nwot) it shows which agree, and how their best differ. With
    several run files of the same architectures, it also shows how far their scores agree.

    RUNS are run files of `swapnas correlate` and `swapnas search`. No accuracies are needed.
    """
    try:
        check_scipy()
        width = terminal_width()
        if html is not None:
            check_page(html, runs)
        found = [analysis.ScoredRun.read(path) for path in runs]
        with RunFile.read(runs[0]) as run_file:
            with own_prints():
                drawn = recorded_space(run_file.settings, space, source=runs[0])
            found_by_pilot = run_file.pilot
        first = found[0]
        effects = []
        if drawn is not None:
            effects = analysis.operation_effects(
                drawn,
                [candidate.architecture for candidate in first.alike],
                [candidate.log_score for candidate in first.alike],
            )
        if effects:
            click.echo(operations_text(effects, width))
        click.echo(trust_text(first, width), nl=False)
        if found_by_pilot is not None:
            click.echo(wrapped(found_by_pilot["sentence"], width))
        agrees = agreement(first.candidates, first.repeats)
        if agrees is not None:
            click.echo("\n" + agreement_text(agrees, len(first.candidates), width), nl=False)
        tell_caveats(first.candidates)
        if len(found) > 1:
            click.echo("\n" + runs_text(found, width), nl=False)
        if html is not None:
            from swapnas_ext.report.analysis.page import to_page  # brings templates

            write(html, to_page(first, effects, drawn))
            tell(f"wrote {html}")
    except EXPECTED as error:
        fail(error)
