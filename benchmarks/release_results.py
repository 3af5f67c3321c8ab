"""Measures a version for ``benchmarks/results/releases``, and draws all that are there: ``make bench-release``.

Each row is timed in turns with a yardstick in the same process, such as ``torch.unique`` or a bare forward pass:
releases are measured on different machines, and the ratios to the yardsticks differ less between these than times do.
"""

from __future__ import annotations

import json
import platform
import time
from functools import partial
from pathlib import Path
from typing import Any

import click
from compare_versions import NAMES_OF_ROWS, median_ms
from versions_builds import ROOT, Build, BuildError, build_commit, build_here
from versions_picture import draw_releases, read_releases
from versions_progress import progress
from versions_session import LAUNCHES, Measured, WorkerError, measure_row, running, session
from versions_statistics import ratios

RELEASES = ROOT / "benchmarks/results/releases"
PICTURE = ROOT / "benchmarks/results/releases.png"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def record(build: Build, about: dict[str, Any], found: dict[str, Measured]) -> dict[str, Any]:
    launches = {row: each.launches for row, each in found.items() if not each.skipped}
    by_row = ratios(launches)
    return {
        "version": about["version"],
        "commit": build.commit,
        "changed": build.changed,
        "date": build.date,
        "measured": time.strftime("%Y-%m-%d"),
        "machine": {
            "processor": processor(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            **{key: value for key, value in about.items() if key not in ("file", "version")},
        },
        "rows": {
            row: {
                "ms": median_ms(launches[row], 1),
                "yardstick": found[row].yardstick,
                "yardstick_ms": median_ms(launches[row], 0),
                "ratio": {name: vars(by_row[row])[name] for name in ("value", "low", "high")},
            }
            for row in launches
        },
        "skipped": {row: each.skipped for row, each in found.items() if each.skipped},
    }


@click.command(
    epilog="""\b
Examples:
  make bench-release
  make bench-release REF=v0.1.0
  python benchmarks/release_results.py --draw"""
)
@click.argument("ref", required=False)
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    default=300,
    show_default=True,
    help="Seconds of measuring, after the build. One round of each row in each of six launches is run at least.",
)
@click.option("--draw", is_flag=True, help="Measures nothing, and draws what is there.")
def main(ref: str | None, budget: float, draw: bool) -> None:
    """Measures REF (a commit, branch or tag; the working tree without it) against its yardsticks with one thread,
    writes benchmarks/results/releases/VERSION.json, and draws benchmarks/results/releases.png from all of them."""
    if not draw:
        try:
            click.echo(f"building {ref or 'the working tree'} ...", err=True)
            build = build_commit(ref) if ref else build_here()
            with running([build.tree], 1) as (version,):
                about = version.about
            start = partial(running, [build.tree], 1)
            with progress(
                f"measuring {about['version']}", len(NAMES_OF_ROWS) * LAUNCHES
            ) as advance:
                found = session(start, NAMES_OF_ROWS, budget, measure_row, advance)
        except (BuildError, WorkerError) as error:
            raise click.ClickException(str(error)) from error
        said = record(build, about, found)
        RELEASES.mkdir(parents=True, exist_ok=True)
        path = RELEASES / f"{said['version']}.json"
        path.write_text(json.dumps(said, indent=1, default=float) + "\n")
        for row, each in said["rows"].items():
            click.echo(
                f"{row:36} {each['ms']:9,.3f} ms  {each['yardstick']} {each['yardstick_ms']:9,.3f} ms  "
                f"{each['ratio']['value']:.3g}x"
            )
        for row, why in said["skipped"].items():
            click.echo(f"skipped: {row}: {why}")
        click.echo(f"wrote {path.relative_to(ROOT)}")
    releases = read_releases(RELEASES)
    if not releases:
        raise click.ClickException(f"no release is in {RELEASES}")
    draw_releases(releases).savefig(PICTURE, dpi=110, metadata={"Software": None})
    click.echo(f"drew {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
