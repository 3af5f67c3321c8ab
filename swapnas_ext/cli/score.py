"""``swapnas score``: scores architectures, models, or a whole space."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click
import torch
from torch import nn

from swapnas_ext import spaces
from swapnas_ext._util import decoded, named, significant
from swapnas_ext.cli.command import Command
from swapnas_ext.cli.interrupted import INTERRUPTED, finish_after_ctrl_c
from swapnas_ext.cli.messages import EXPECTED, fail, tell, tell_caveats, tell_end
from swapnas_ext.cli.option_types import ListFile
from swapnas_ext.cli.output import check_writable, own_prints, write
from swapnas_ext.cli.piloted import piloted
from swapnas_ext.cli.progress import bar, progress_bar
from swapnas_ext.cli.recorded_command import as_recorded
from swapnas_ext.cli.scoring import Scoring, scoring_options
from swapnas_ext.cli.space_choice import SpaceChoice, space_options
from swapnas_ext.cli.worker_options import Hands, workers_options
from swapnas_ext.correlation import Standing
from swapnas_ext.models import OWN
from swapnas_ext.report.scores.profile import profile_text
from swapnas_ext.report.scores.rows import ScoreRow, best_first, score_row, to_csv, to_json
from swapnas_ext.report.scores.text import to_text
from swapnas_ext.report.shared.text import terminal_width
from swapnas_ext.scoring import Scorer, ScoreWarning, SeededBuilds, SwapScore
from swapnas_ext.search import Progress, Survey, Workers, run_file_of, survey_csv
from swapnas_ext.spaces import SearchSpace


@dataclass(frozen=True)
class Named:
    """The name of a model to score, and the function that builds it."""

    name: str
    build: Callable[[], nn.Module]


EXAMPLES = """
\b
Examples:
  swapnas score --space nasbench201 \\
    --arch '|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|'
  swapnas score --space darts --arch-file example:genotypes --repeats 32 --profile
  swapnas spaces nasbench201 --sample 100 | swapnas score --space nasbench201 --arch-file -
  swapnas score --space nasbench201 --arch-file cells.txt --images photos/ --format csv > scores.csv
  swapnas score --space nasbench201 --all --output nasbench201.csv    # again, to continue it
  swapnas score --model my_package.models:make_net --size 224 --init keep
"""


@click.command(cls=Command, epilog=EXAMPLES)
@space_options
@click.option(
    "--arch", "archs", multiple=True, metavar="STRING", help="An architecture. Repeatable."
)
@click.option(
    "--arch-file",
    type=ListFile(),
    help="A file with one architecture per line ('-': standard input; # starts a comment line), or example:NAME "
    "(see swapnas examples).",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Scores every architecture of the space, isomorphic ones once, with --workers, and writes the CSV file "
    "--output (default: SPACE-scores.csv). Continues an existing file; FILE.db beside it is the run file.",
)
@workers_options
@click.option(
    "--model",
    "factories",
    multiple=True,
    metavar="MODULE:NAME",
    help="Your own function or class that makes a model. Repeatable.",
)
@scoring_options
@click.option(
    "--mu", type=float, help="Regularises by size: the target size, in thousands of parameters."
)
@click.option(
    "--sigma",
    type=float,
    help="Width around --mu, in squared thousands of parameters: exp(-(size-mu)^2/sigma).",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the first repeat.")
@click.option("--profile", is_flag=True, help="Shows the time of each step, and every layer.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Default: the terminal.",
)
def score(
    choice: SpaceChoice,
    archs: tuple[str, ...],
    arch_file: BinaryIO | None,
    everything: bool,
    hands: Hands,
    factories: tuple[str, ...],
    scoring: Scoring,
    mu: float | None,
    sigma: float | None,
    seed: int,
    profile: bool,
    output_format: str,
    output: Path | None,
) -> None:
    """Scores architectures of a search space, or models of your own, and lists them, best first.

    Everything is checked before the first model is scored. Ctrl-C ends the command with the scores so far.
    """
    try:
        texts = [*archs, *(_lines(arch_file) if arch_file else ())]
        space = None if choice.name is None else choice.get()
        _check_goes_together(choice, texts, factories, everything=everything, scoring=scoring)
        initialized = scoring.initialization in ("keep", OWN)
        with own_prints():
            candidates = _candidates(space, texts, factories, initialized)
        target = torch.empty(0, device=scoring.device).device
        if output is not None:
            listed = None if arch_file is None else Path(arch_file.name)
            check_writable(output, "--output", [(listed, "the file of --arch-file")])
        if everything and space is not None:
            name = choice.name or ""
            path = output or Path(f"{name}-scores.csv")
            scoring, found_by_pilot = piloted(
                scoring, space, seed=seed, workers=hands.local, run=run_file_of(path)
            )
            scorer = scoring.scorer(space, seed=seed, mu=mu, sigma=sigma)
            tell(scoring.sentence(scorer))
            survey = Survey(name, choice.renamed(), scorer, path)
            command = as_recorded(
                "score",
                choice,
                scoring,
                found_by_pilot,
                all=True,
                seed=seed,
                mu=mu,
                sigma=sigma,
            )
            _survey(survey, hands.get(run=survey.run_file), command)
            return
        if scoring.is_auto:
            raise ValueError(
                "--samples auto and --repeats auto are for whole spaces: swapnas search, correlate, calibrate and "
                "score --all have them; give a number here"
            )
        scorer = scoring.scorer(space, seed=seed, mu=mu, sigma=sigma)
        tell(scoring.sentence(scorer))
    except EXPECTED as error:
        fail(error)

    rows: list[ScoreRow] = []
    standings: list[Standing] = []
    interrupted = False
    failure: RuntimeError | None = None
    try:
        for name, result in _scored(candidates, scorer, target, seed):
            rows.append(score_row(name, result))
            if profile:
                click.echo(profile_text(name, result, terminal_width(sys.stderr)), err=True)
            for text in (*result.missed, *result.notes):
                tell(f"{name}:\n{text}" if " " in name else f"{name}: {text}")
            standings.append(_standing(result))
    except KeyboardInterrupt:
        finish_after_ctrl_c()
        interrupted = True
    except RuntimeError as error:
        failure = error
    if rows:
        _write(best_first(rows), output_format, output)
        tell_caveats(standings)
    if failure is not None:
        fail(failure)
    if interrupted:
        tell_end(f"interrupted: {len(rows)} of {len(candidates)} scored")
        sys.exit(INTERRUPTED)


def _standing(score: SwapScore) -> Standing:
    """What of a score the caveats are about. What is saturated is told with each model already."""
    details = score.measurement.details
    return Standing(
        details.get("score_of", score.measure.partition(",")[0]),
        score.log_value,
        score.parameters,
        details.get("flops"),
        ternary=score.ternary,
        by_measure=details.get("measures", {}),
    )


def _check_goes_together(
    choice: SpaceChoice,
    texts: list[str],
    factories: tuple[str, ...],
    *,
    everything: bool,
    scoring: Scoring,
) -> None:
    if everything:
        if choice.name is None or texts or factories:
            raise ValueError("--all goes with --space, and without --arch, --arch-file and --model")
        if torch.device(scoring.device).type != "cpu":
            raise ValueError(f"--all scores on the CPU, not on {scoring.device}")
        if "," in scoring.measure:
            raise ValueError(
                f"--all writes the scores of one measure, got --measure {scoring.measure}: make a file for each"
            )
    elif bool(texts) == bool(factories):
        raise ValueError(
            "give architectures (--arch, --arch-file, with --space) or models (--model)"
        )
    elif factories and (choice.name is not None or choice.options):
        raise ValueError("--model goes without --space and its options")
    elif texts and choice.name is None:
        raise ValueError(f"architectures need --space; known: {', '.join(spaces.names())}")


def _lines(file: BinaryIO) -> list[str]:
    name = f"--arch-file {getattr(file, 'name', '-')}"
    lines = map(str.strip, decoded(file.read(), name).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _candidates(
    space: SearchSpace | None,
    texts: list[str],
    factories: tuple[str, ...],
    initialized: bool,
) -> list[Named]:
    if space is None:
        return [Named(text, _factory(text)) for text in factories]
    for text in texts:
        space.check(text)
    return [Named(text, partial(space.build, text, initialized=initialized)) for text in texts]


def _factory(text: str) -> Callable[[], nn.Module]:
    factory: object = named(text)
    if not callable(factory):
        module_name, _, name = text.partition(":")
        raise ValueError(f"--model {text}: {module_name} has no function or class {name!r}")
    return factory


def _scored(
    candidates: list[Named], scorer: Scorer, device: torch.device, seed: int
) -> Iterator[tuple[str, SwapScore]]:
    best = -math.inf
    with bar("scoring") as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", ScoreWarning)  # shown with each model
        task = progress.add_task("", total=len(candidates), state="")
        for candidate in candidates:
            build = SeededBuilds(partial(_built, candidate, device), seed, torch.manual_seed)
            try:
                with own_prints():
                    result = scorer(build)
            except (Exception, SystemExit) as error:  # the model's code may raise anything
                kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
                raise RuntimeError(f"{candidate.name}: {kind}{error}") from error
            yield candidate.name, result
            best = max(best, result.value)
            progress.update(task, advance=1, state=f"best {best:.6g}")


def _built(candidate: Named, device: torch.device) -> nn.Module:
    model: object = candidate.build()
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch module, got {type(model).__name__}")
    return model.to(device)


def _survey(survey: Survey, workers: Workers, command: dict[str, Any]) -> None:
    total = sum(map(len, survey.groups.values()))
    before = survey.rows()
    known = sum(map(len, before.values()))
    start = time.perf_counter()
    with progress_bar("scoring", len(survey.groups)) as show:

        def on_progress(progress: Progress) -> None:
            if known and progress.scored == 0:  # the file can be continued
                tell(f"{survey.output} has {known:,} of {total:,}: continuing")
            show(progress)

        found = survey.score(workers=workers, on_progress=on_progress, command=command)
    seconds = time.perf_counter() - start
    if found.interrupted:
        finish_after_ctrl_c()
    after = survey.rows()
    rows = [row for of_form in after.values() for row in of_form]
    write(survey.output, survey_csv(rows))
    if found.interrupted:
        tell_end(
            f"interrupted: {len(rows):,} of {total:,} are in {survey.output}; the same command continues"
        )
        sys.exit(INTERRUPTED)
    click.echo(f"{len(rows):,} architectures of {len(after):,} forms are in {survey.output}")
    click.echo(f"scored {len(after) - len(before):,} networks in {seconds:.1f} s; the best:")
    for row in sorted(rows, key=lambda row: float(row["log_score"]), reverse=True)[:5]:
        click.echo(f"  {significant(float(row['score']))}  {row['architecture']}")
    tell_caveats(found.candidates)
    if found.failed:
        first = found.failed[0]
        raise RuntimeError(
            f"{len(found.failed):,} of {len(survey.groups):,} networks could not be scored; the first is "
            f"{first.architecture}: {first.outcome.error if first.outcome else ''}"
        )


def _write(rows: list[ScoreRow], output_format: str, output: Path | None) -> None:
    if output is None and output_format == "table":
        click.echo(to_text(rows, terminal_width()), nl=False)
        return
    text = {"table": to_text, "json": to_json, "csv": to_csv}[output_format](rows)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        write(output, text)
    except OSError as error:
        click.echo(text, nl=False)  # they may have taken hours
        fail(error)
    tell(f"wrote {len(rows)} scores to {output}")
