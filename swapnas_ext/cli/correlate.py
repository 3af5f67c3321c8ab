"""``swapnas correlate``: how well scores rank the architectures of a table of accuracies."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from swapnas_ext.cli.command import Command
from swapnas_ext.cli.interrupted import INTERRUPTED, finish_after_ctrl_c
from swapnas_ext.cli.messages import EXPECTED, fail, tell, tell_caveats, tell_end
from swapnas_ext.cli.option_types import TablePath
from swapnas_ext.cli.output import check_writable, write
from swapnas_ext.cli.piloted import piloted
from swapnas_ext.cli.progress import bar, progress_bar
from swapnas_ext.cli.recorded_command import as_recorded
from swapnas_ext.cli.scoring import Scoring, scoring_options
from swapnas_ext.cli.space_choice import SpaceChoice, space_options
from swapnas_ext.cli.worker_options import Hands, workers_options
from swapnas_ext.correlation import check_scipy, read_table, tell_faults
from swapnas_ext.correlation import correlate as run_correlation
from swapnas_ext.report.correlation.csv_text import to_csv
from swapnas_ext.report.correlation.text import to_text
from swapnas_ext.report.shared.text import terminal_width
from swapnas_ext.search import Control, describe_scorer, describe_space, score_listed

_SUFFIXES = (".db", ".csv", ".html")
EXAMPLES = """
\b
Examples:
  swapnas correlate --space nasbench201 --table example:nasbench201 --measure capacity
  swapnas correlate --space nasbench201 --table nasbench201.csv --images cifar10.npz
  swapnas correlate --space nasbench201 --table nasbench201.csv --limit 300 --measure swap,nwot,zico,params
  swapnas correlate --space darts --table darts.csv --accuracy val_cifar10 --repeats 4 --limit 200
  swapnas correlate --space flexibert --table flexibert.json --accuracy scores.glue --skip-bad
  swapnas correlate --space my_package.spaces:MySpace --table mine.csv --architecture cell \\
    --accuracy top1 --baseline nwot --baseline synflow
"""


@click.command(cls=Command, epilog=EXAMPLES)
@space_options
@click.option(
    "--table",
    "path",
    required=True,
    type=TablePath(),
    help="A CSV file with a header line (with semicolons, tabs or decimal commas too), a JSON file with a list "
    "of objects, or example:NAME (see swapnas examples).",
)
@click.option(
    "--architecture",
    metavar="COLUMN",
    help="Column of architectures. Default: architecture, arch_str, arch or genotype, or the column of the "
    "space's published table.",
)
@click.option(
    "--accuracy",
    metavar="COLUMN",
    help="Column of accuracies; in JSON also a.b. Default: a column whose name contains acc, or begins with val or "
    "test; never errors, losses, ranks, times and the like.",
)
@click.option(
    "--baseline",
    "baselines",
    metavar="COLUMN",
    multiple=True,
    help="Column of numbers to compare the scores with. Repeatable.",
)
@click.option(
    "--skip-bad",
    is_flag=True,
    help="Leaves out duplicate rows, and rows without an architecture or an accuracy.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    help="Takes at most this many random rows. A larger limit takes the same rows and more.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    help="Seed of weights, of --limit, and of the intervals.",
)
@click.option(
    "--mu",
    type=float,
    help="Target size of the regularised score, in thousands of parameters. Needs --sigma.",
)
@click.option(
    "--sigma",
    type=float,
    help="Width around --mu, in squared thousands of parameters. Default: both are calibrated with the "
    "table's architectures, without their accuracies.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Path of the results, with or without suffix: .csv, .html, and .db, the run file, are all written. Default: "
    "the names of the table and of the space, in this folder.",
)
@workers_options
@scoring_options
def correlate(
    choice: SpaceChoice,
    path: Path,
    architecture: str | None,
    accuracy: str | None,
    baselines: tuple[str, ...],
    skip_bad: bool,
    limit: int | None,
    seed: int,
    mu: float | None,
    sigma: float | None,
    output: Path | None,
    hands: Hands,
    scoring: Scoring,
) -> None:
    """Scores the architectures of a table of accuracies, and shows how well the scores rank them.

    Prints Spearman's, Kendall's and Pearson's correlations with bootstrap 95 % intervals: of the score, of the
    size-regularised score, of parameters and FLOPs. Also shows the accuracies of the highest scores, and writes a
    page of plots. Of several measures (--measure swap,capacity,nwot) it shows all in one table, and the differences
    between them on the same rows. After Ctrl-C, the same command continues. With another --accuracy, --baseline or
    --limit it scores only new architectures.
    """
    try:
        check_scipy()
        from swapnas_ext.report.correlation.page import to_page  # brings templates

        control = None if mu is None and sigma is None else Control(mu, sigma)
        space = choice.get()
        table = read_table(
            path,
            space,
            architecture=architecture,
            accuracy=accuracy,
            baselines=baselines,
            skip_bad=skip_bad,
        )
        if table.faults:
            total = len(table.rows) + len(table.faults)
            tell(f"{tell_faults(table.faults, total)}\nthey are left out")
        whole, table = table, table.sampled(limit, seed)
        base = output or Path(f"{path.stem}-{(choice.name or '').replace(':', '.')}")
        files = _files(base, path)
        scoring, found_by_pilot = piloted(
            scoring, space, seed=seed, workers=hands.local, run=files["db"]
        )
        scorer = scoring.scorer(space, seed=seed)
        tell(scoring.sentence(scorer))
        with progress_bar("scoring", len(table.rows)) as on_progress:
            scores = score_listed(
                space,
                scorer,
                [row.architecture for row in table.rows],
                among=[row.architecture for row in whole.rows],
                workers=hands.get(scoring.device, files["db"]),
                history=files["db"],
                device=scoring.device,
                on_progress=on_progress,
                command=as_recorded(
                    "correlate",
                    choice,
                    scoring,
                    found_by_pilot,
                    table=str(path.resolve()),
                    architecture=architecture,
                    accuracy=accuracy,
                    baseline=list(baselines),
                    skip_bad=skip_bad,
                    limit=limit,
                    seed=seed,
                    mu=mu,
                    sigma=sigma,
                ),
            )
        if scores.interrupted:
            finish_after_ctrl_c()
            tell_end(
                f"interrupted: {len(scores.candidates):,} networks are in {shlex.quote(str(files['db']))}; "
                "the same command goes on"
            )
            sys.exit(INTERRUPTED)
        with bar("intervals") as shown:
            task = shown.add_task("", total=None, state="")
            found = run_correlation(
                table,
                space,
                scores,
                repeats=scorer.options.repeats,
                control=control,
                seed=seed,
                on_progress=lambda done, total: shown.update(task, completed=done, total=total),
            )
        click.echo(to_text(found, terminal_width()), nl=False)
        tell_caveats(row.candidate for row in found.rows)
        made_with = {"space": describe_space(space), "scorer": describe_scorer(scorer)}
        if found_by_pilot is not None:
            made_with["pilot"] = found_by_pilot
        write(files["csv"], to_csv(found))
        write(files["html"], to_page(found, made_with, space))
    except EXPECTED as error:
        fail(error)
    tell(f"wrote {', '.join(str(files[kind]) for kind in ('csv', 'html', 'db'))}")


def _files(base: Path, table: Path) -> dict[str, Path]:
    """The files to write, by kind. Raises ValueError if one can't be written, or would overwrite the table."""
    if base.suffix in _SUFFIXES:
        base = base.with_suffix("")
    if base.is_dir() or not base.name:
        raise ValueError(
            f"--output {base} is a folder: give the name of the files in it, without suffix"
        )
    if not base.parent.is_dir():
        raise ValueError(f"--output {base}: there is no folder {base.parent}")
    files = {suffix[1:]: base.with_name(f"{base.name}{suffix}") for suffix in _SUFFIXES}
    for path in files.values():
        check_writable(path, "--output", [(table, "the table")])
    return files
