"""What threads gain in one count, and what dividing the work costs.

Wall time with one and two threads is measured: the shortest of many, for other processes only lengthen it. Beyond the
cores of the machine, CPU time (medians) tells how much work the division into more parts adds: with p threads on p
cores, a count takes the larger of that CPU time divided by p, and the time to read its bytes.

Run it from the root of the repository; it writes benchmarks/results/thread_growth.json and the table of
docs/speed.md::

    python benchmarks/thread_growth.py
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import time
from pathlib import Path

os.environ["OMP_WAIT_POLICY"] = "passive"  # before torch: threads that wait shall not work
os.environ.pop("OMP_NUM_THREADS", None)

import click
import torch
from marked import rewrite, table
from versions_rows import half_distinct

import swapnas_ext as swap

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/thread_growth.json"
PAGE = ROOT / "docs/speed.md"
THREADS = (1, 2, 4, 8, 16, 32, 64)
WORKS = {
    "S=16 V=1,500,000": (16, 1_500_000),
    "S=32 V=1,500,000": (32, 1_500_000),
    "S=64 V=500,000": (64, 500_000),
}


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measured(rounds: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for work, (samples, neurons) in WORKS.items():
        x = half_distinct(samples, neurons)
        times: dict[int, list[tuple[float, float]]] = {threads: [] for threads in THREADS}
        for turn in range(rounds + 1):
            for threads in THREADS:
                torch.set_num_threads(threads)
                swap.count_patterns(x)
                began, cpu = time.perf_counter(), cpu_seconds()
                swap.count_patterns(x)
                spent = time.perf_counter() - began, cpu_seconds() - cpu
                if turn:
                    times[threads].append(spent)
        for threads, spents in times.items():
            walls, cpus = zip(*spents, strict=True)
            wall, cpu = 1e3 * min(walls), 1e3 * statistics.median(cpus)
            rows.append({"work": work, "threads": threads, "wall_ms": wall, "cpu_ms": cpu})
            click.echo(rows[-1], err=True)
    return rows


def of_results(rows: list[dict[str, object]]) -> str:
    """In Markdown."""
    by = {(row["work"], row["threads"]): row for row in rows}
    lines = []
    for work in WORKS:
        one = by[work, 1]
        gain = one["wall_ms"] / by[work, 2]["wall_ms"]  # type: ignore[operator]
        cells = [f"{by[work, threads]['cpu_ms']:.1f}" for threads in THREADS]
        lines.append([work, f"{one['wall_ms']:.1f} ms", f"{gain:.2f}x", *cells])
    headings = ["count", "one thread", "two threads"]
    headings += [f"CPU ms in {threads}" for threads in THREADS]
    return table(headings, lines)


@click.command()
@click.option("--rounds", default=21, show_default=True)
@click.option("--only-table", is_flag=True, help="Measures nothing, and writes the table.")
def main(rounds: int, only_table: bool) -> None:
    if not only_table:
        RESULTS.write_text(json.dumps(measured(rounds), indent=1) + "\n")
    text = of_results(json.loads(RESULTS.read_text()))
    click.echo(text)
    rewrite(PAGE, {"thread growth": text})


if __name__ == "__main__":
    main()
