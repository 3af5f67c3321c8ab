"""Compares the speed of the working tree with that of a commit: ``make bench-compare REF=<commit>``.

Both are built in folders of their own, and take turns: see `versions_session` for how, and `versions_statistics` for
what counts as beyond noise.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

import click
from versions_builds import Build, BuildError, build_commit, build_here, default_ref
from versions_progress import progress
from versions_session import LAUNCHES, Measured, WorkerError, compare_row, running, session
from versions_statistics import Ratio, geometric_mean, moved, ratios

NAMES_OF_ROWS = (
    "count S=16 V=43,008",
    "count S=32 V=1,500,000",
    "count S=64 V=500,000",
    "count S=128 V=500,000",
    "insert S=16, 64 MiB",
    "ReLU + insert S=16, 64 MiB",
    "score, NAS-Bench-201 convolutions",
    "score, NAS-Bench-201 mixed",
    "score, NAS-Bench-201 small",
    "DARTS cell, 32 repeats with build",
    "DARTS search, 40 candidates",
    "import, beyond torch",
)
"""As in `versions_rows`, which imports the package."""


def rows_named(parts: tuple[str, ...]) -> list[str]:
    """The rows whose names have one of these parts; all if there are none."""
    unknown = [
        part for part in parts if not any(part.lower() in row.lower() for row in NAMES_OF_ROWS)
    ]
    if unknown:
        raise click.UsageError(
            f"no row has {unknown[0]!r} in its name; the rows are: {'; '.join(NAMES_OF_ROWS)}"
        )
    return [
        row
        for row in NAMES_OF_ROWS
        if not parts or any(part.lower() in row.lower() for part in parts)
    ]


def report(old: Build, found: dict[str, Measured], threads: int, seconds: float) -> dict[str, Any]:
    """Everything that was found, as JSON."""
    launches = {row: each.launches for row, each in found.items() if not each.skipped}
    by_row = ratios(launches)
    mean = geometric_mean(launches) if launches else None
    return {
        "ref": {"commit": old.commit, "date": old.date},
        "threads": threads,
        "launches": LAUNCHES,
        "seconds": seconds,
        "geometric_mean": None if mean is None else vars(mean),
        "moved": moved(by_row),
        "rows": {
            row: {
                "ref_ms": median_ms(launches[row], 0),
                "here_ms": median_ms(launches[row], 1),
                "ratio": vars(by_row[row]),
                "rounds": [len(rounds) for rounds in launches[row]],
                "results": found[row].results,
            }
            for row in launches
        },
        "skipped": {row: each.skipped for row, each in found.items() if each.skipped},
    }


def median_ms(launches: list[list[tuple[float, float]]], place: int) -> float:
    return 1e3 * statistics.median(pair[place] for rounds in launches for pair in rounds)


def text_of(old: Build, said: dict[str, Any]) -> str:
    width = max(map(len, [*said["rows"], "geometric mean"]), default=0)
    lines = [f"{'':{width}}  {old.name:>12}  {'here':>12}  {'speed':>7}  95 %"]
    for row, each in said["rows"].items():
        lines.append(
            f"{row:{width}}  {each['ref_ms']:9,.3f} ms  {each['here_ms']:9,.3f} ms  {ratio_text(each['ratio'])}"
            f"{'  *' if row in said['moved'] else ''}"
        )
    if said["geometric_mean"] is not None:
        lines.append(
            f"{'geometric mean':{width}}  {'':12}  {'':12}  {ratio_text(said['geometric_mean'])}"
        )
    lines.append("")
    if said["moved"]:
        lines.append("moved beyond noise (*):")
        lines += [f"  {row}: {change_text(said['rows'][row]['ratio'])}" for row in said["moved"]]
    elif said["rows"]:
        lines.append("no row moved beyond noise")
    for row, each in said["rows"].items():
        first, second = each["results"]
        if first != second:
            lines.append(
                f"another result: {row}: {short(first)} in {old.name}, {short(second)} here"
            )
    lines += [f"skipped: {row}: {why}" for row, why in said["skipped"].items()]
    return "\n".join(lines)


def ratio_text(ratio: dict[str, float]) -> str:
    return f"{ratio['value']:6.3f}x  {ratio['low']:.3f} to {ratio['high']:.3f}"


def change_text(ratio: dict[str, float]) -> str:
    speed = Ratio(**ratio)
    if speed.value < 1:
        return f"{1 / speed.value:.3f} times as long (p = {speed.p:.1g})"
    return f"{speed.value:.3f} times as fast (p = {speed.p:.1g})"


def short(result: Any, most: int = 60) -> str:
    text = json.dumps(result)
    return text if len(text) <= most else f"{text[: most - 3]}..."


@click.command(
    epilog="""\b
Examples:
  make bench-compare REF=v0.2.0
  make bench-compare REF=main ARGS='--only count --budget 60'
  python benchmarks/compare_versions.py HEAD~5 --output build/compare.json"""
)
@click.argument("ref", required=False)
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    default=180,
    show_default=True,
    help="Seconds of measuring, after the builds. Three rounds of each row in each of six launches are run at least.",
)
@click.option(
    "--only", multiple=True, metavar="PART", help="Rows with this in their names. Repeatable."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads of each version. Only one of the two works at a time.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Writes what was found as JSON.",
)
def main(
    ref: str | None, budget: float, only: tuple[str, ...], threads: int, output: Path | None
) -> None:
    """Builds REF and the working tree, runs short benchmarks of both in turns, and prints how many times as fast each
    is here, their geometric mean, and the rows that moved beyond noise.

    REF is a commit, branch or tag. Without it: the last release's tag; where there is none, HEAD if files are changed,
    else HEAD~1."""
    rows = rows_named(only)
    why = ""
    if not ref:
        ref, reason = default_ref()
        why = f" ({reason})"
    try:
        click.echo(f"building {ref}{why} and the working tree ...", err=True)
        old, here = build_commit(ref), build_here()
        click.echo(
            f"{old.name} of {old.date} against {'the changed tree' if here.changed else here.commit[:7]}, {LAUNCHES} "
            f"launches, {threads} thread{'s' if threads > 1 else ''} each"
        )
        began = time.perf_counter()
        with progress("measuring", len(rows) * LAUNCHES) as advance:
            start = partial(running, [old.tree, here.tree], threads)
            found = session(start, rows, budget, compare_row, advance)
    except (BuildError, WorkerError) as error:
        raise click.ClickException(str(error)) from error
    said = report(old, found, threads, time.perf_counter() - began)
    if output is not None:
        output.write_text(json.dumps(said, indent=1, default=float) + "\n")
    click.echo(text_of(old, said))
    if said["geometric_mean"] is None or math.isnan(said["geometric_mean"]["value"]):
        raise click.ClickException(f"{old.name} has none of these rows")


if __name__ == "__main__":
    main()
