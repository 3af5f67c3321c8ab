"""What each kind of workers costs: the same search by two local processes, Ray, Dask, and local jobs of submitit.

The kinds take turns, so that a machine that others use too is the same for all. A search is timed once its workers are
up; their start and their end are timed apart. Run it from the root of the repository; it prints a table in Markdown,
and adds to what benchmarks/results/workers_overhead.json has::

    OMP_NUM_THREADS=1 python benchmarks/workers_overhead.py --rounds 3
    OMP_NUM_THREADS=1 python benchmarks/workers_overhead.py --rounds 0     # the table of what is there
"""

from __future__ import annotations

import json
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import click

import swapnas_ext as swap
from swapnas_ext.models import OWN
from swapnas_ext.search import Evaluator, RunFile, SearchSettings, SlurmCluster
from swapnas_ext.search.driver import Driver
from swapnas_ext.search.workers import Chunk, Crew, hire

RESULTS = Path(__file__).parent / "results/workers_overhead.json"
KINDS = {
    "local processes": "--workers 2",
    "Ray": "--workers ray:2",
    "Dask": "--workers dask:2",
    "Slurm (jobs on this machine)": "--workers slurm:2@local",
}
WARM_UP = 24  # networks


def workers_of(kind: str, folder: Path) -> Any:
    if kind.startswith("Slurm"):
        return SlurmCluster(2, folder=folder, cluster="local")
    return {"local processes": 2, "Ray": "ray:2", "Dask": "dask:2"}[kind]


def measured(kind: str, candidates: int, folder: Path) -> dict[str, Any]:
    """Seconds of the start, of a search, and of the end."""
    space = swap.spaces.get("darts")
    scorer = swap.Scorer(space.inputs(16), measure="capacity", init=OWN, seed=1)
    settings = SearchSettings(candidates=candidates, seed=1, ahead=8)
    began = time.perf_counter()
    crew = Crew(hire(Evaluator(space, scorer), workers_of(kind, folder)))
    try:
        warm_up(crew, space)
        up = time.perf_counter()
        driver = Driver(space, settings, RunFile.create(None, {"search": {}}), crew)
        driver.run()
        done = time.perf_counter()
        best = driver.result().best
    finally:
        crew.close()
    ended = time.perf_counter()
    if kind == "Ray":
        import ray

        ray.shutdown()
    return {
        "kind": kind,
        "candidates": candidates,
        "start": up - began,
        "search": done - up,
        "end": ended - done,
        "best": best.architecture,
        "load": os.getloadavg()[0],
    }


def warm_up(crew: Crew, space: swap.spaces.SearchSpace) -> None:
    """Waits until both workers are up, and have scored."""
    rng = random.Random(0)
    for worker in crew._workers:
        if hasattr(worker, "_scoring"):  # Dask holds tasks until a process is there
            worker._scoring._client.wait_for_workers(2, timeout=120)
    while True:
        chunk = Chunk([space.sample(rng) for _ in range(WARM_UP)])
        crew.submit(chunk, 1)
        while not chunk.done:
            crew.collect()
        if all(crew._ready):
            return


def table(rows: list[dict[str, Any]]) -> str:
    """In Markdown: medians, and the ratio to local processes in the same rounds."""
    lines = ["| workers | start | search | against local | end |", "|---|---|---|---|---|"]
    local = seconds_of(rows, "local processes", "search")
    for kind in KINDS:
        search = seconds_of(rows, kind, "search")
        if not search:
            continue
        start, end = (statistics.median(seconds_of(rows, kind, what)) for what in ("start", "end"))
        ratios = [own / base for own, base in zip(search, local, strict=False)]
        lines.append(
            f"| {kind} | {start:.1f} s | {statistics.median(search):.1f} s | {statistics.median(ratios):.2f}x "
            f"({min(ratios):.2f} to {max(ratios):.2f}) | {end:.1f} s |"
        )
    return "\n".join(lines)


def seconds_of(rows: list[dict[str, Any]], kind: str, what: str) -> list[float]:
    return [row[what] for row in rows if row["kind"] == kind]


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Searches of each kind.")
@click.option("--candidates", default=300, show_default=True, help="Networks of a search.")
@click.option("--again", is_flag=True, help="Forgets what was measured before.")
def main(rounds: int, candidates: int, again: bool) -> None:
    rows = [] if again or not RESULTS.exists() else json.loads(RESULTS.read_text())
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            of_round = []
            for kind in KINDS:
                row = measured(kind, candidates, Path(folder))
                of_round.append(row)
                click.echo(
                    f"{kind}: start {row['start']:.1f} s, search {row['search']:.1f} s, end {row['end']:.1f} s",
                    err=True,
                )
            assert len({row["best"] for row in of_round}) == 1  # one seed, one result
            rows += of_round
            RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    click.echo(
        f"DARTS, capacity, {candidates} candidates, two workers, medians of {len(rows) // len(KINDS)}:\n"
    )
    click.echo(table(rows))


if __name__ == "__main__":
    main()
