"""What each kind of workers costs: the same search by two local processes, Ray, Dask, and local jobs of submitit.

All kinds are started, then their searches take turns, so that a machine that others use too is the same for all. Start,
search and end are timed apart. CPU seconds, of all processes of a kind, depend less on what else the machine does. Run
it from the root of the repository; it adds to benchmarks/results/workers_overhead.json, and writes the table of
docs/workers.md::

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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import psutil
from marked import rewrite, table

import swapnas_ext as swap
from swapnas_ext.models import OWN
from swapnas_ext.search import Evaluator, RunFile, SearchSettings, SlurmCluster
from swapnas_ext.search.driver import Driver
from swapnas_ext.search.workers import Chunk, Crew, hire

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/workers_overhead.json"
PAGE = ROOT / "docs/workers.md"
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


class Kind:
    """Workers of one kind, from their start to their end."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.rows: list[dict[str, Any]] = []
        self._space = swap.spaces.get("darts")
        scorer = swap.Scorer(self._space.inputs(16), measure="capacity", init=OWN, seed=1)
        before = set(processes())
        with self._timed("start"):
            evaluator = Evaluator(self._space, scorer)
            self._crew = Crew(hire(evaluator, workers_of(name, folder)))
            warm_up(self._crew, self._space)
        self._own = [process for process in processes() if process not in before]

    def search(self, candidates: int) -> str:
        """The best architecture."""
        settings = SearchSettings(candidates=candidates, seed=1, ahead=8)
        run_file = RunFile.create(None, {"search": {}})
        driver = Driver(self._space, settings, run_file, self._crew)
        before = self._cpu_seconds()
        with self._timed("search"):
            driver.run()
        self.rows[-1]["cpu"] = self._cpu_seconds() - before
        return driver.result().best.architecture

    def end(self) -> None:
        with self._timed("end"):
            self._crew.close()
        if self.name == "Ray":
            import ray

            ray.shutdown()

    def _cpu_seconds(self) -> float:
        """Of this process, and those that were started for the workers."""
        total = sum(psutil.Process().cpu_times()[:2])
        for process in self._own:
            with suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:2])
        return total

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        load = os.getloadavg()[0]
        self.rows.append({"kind": self.name, "what": what, "seconds": seconds, "load": load})
        click.echo(f"{self.name}: {what} {seconds:.1f} s", err=True)


def processes() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


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


def of_results(rows: list[dict[str, Any]]) -> str:
    """In Markdown: medians, and the median ratio to the local processes of the same round."""
    headings = ["workers", "", "start", "search", "against local", "CPU time against local", "end"]
    lines = []
    for kind, option in KINDS.items():
        if not values(rows, kind, "search", "seconds"):
            continue
        start, search, end = (
            statistics.median(values(rows, kind, what, "seconds"))
            for what in ("start", "search", "end")
        )
        ratios = [f"{ratio(rows, kind, unit):.2f}x" for unit in ("seconds", "cpu")]
        row = [kind, f"`{option}`", f"{start:.1f} s", f"{search:.1f} s", *ratios, f"{end:.1f} s"]
        lines.append(row)
    return table(headings, lines)


def ratio(rows: list[dict[str, Any]], kind: str, unit: str) -> float:
    local = values(rows, "local processes", "search", unit)
    own = values(rows, kind, "search", unit)
    return statistics.median(one / base for one, base in zip(own, local, strict=True))


def values(rows: list[dict[str, Any]], kind: str, what: str, unit: str) -> list[float]:
    return [row[unit] for row in rows if (row["kind"], row["what"]) == (kind, what)]


def session(rounds: int, candidates: int) -> list[dict[str, Any]]:
    """Starts each kind, and has them search in turns."""
    kinds: list[Kind] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name in KINDS:
                kinds.append(Kind(name, Path(folder)))
            for turn in range(rounds):
                order = kinds[turn % len(kinds) :] + kinds[: turn % len(kinds)]
                assert len({kind.search(candidates) for kind in order}) == 1  # one seed, one result
        finally:
            for kind in kinds:
                kind.end()
    return [row for kind in kinds for row in kind.rows]


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Searches of each kind.")
@click.option("--candidates", default=300, show_default=True, help="Networks of a search.")
@click.option("--again", is_flag=True, help="Forgets what was measured before.")
def main(rounds: int, candidates: int, again: bool) -> None:
    rows = [] if again or not RESULTS.exists() else json.loads(RESULTS.read_text())
    if rounds:
        rows += session(rounds, candidates)
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    click.echo(of_results(rows))
    rewrite(PAGE, {"overhead": of_results(rows)})


if __name__ == "__main__":
    main()
