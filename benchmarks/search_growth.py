"""How many workers one search keeps busy: real local processes that sleep instead of scoring.

A worker that sleeps needs no core, so a small machine shows what 64 workers ask of the process of the search: choosing,
sending, receiving and recording are all real, with a run file on disk. What it can't show is what 64 cores ask of the
memory.

Run it from the root of the repository; it writes benchmarks/results/search_growth.json and the table of docs/speed.md::

    OMP_NUM_THREADS=1 python benchmarks/search_growth.py
    OMP_NUM_THREADS=1 python benchmarks/search_growth.py --only-table
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import cloudpickle
from marked import rewrite, table

import swapnas_ext as swap
from swapnas_ext.search import Outcome, RunFile, SearchSettings
from swapnas_ext.search.driver import Driver
from swapnas_ext.search.workers import Crew, LocalProcess

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/search_growth.json"
PAGE = ROOT / "docs/speed.md"
WORKERS = (1, 2, 4, 8, 16, 32, 64)
MILLISECONDS = (0.0, 3.0, 6.0)
"""What a candidate takes a worker. 6 ms: a cell of the DARTS space, on one core of the machine of docs/speed.md."""
SECONDS = 2.0


@dataclass(frozen=True)
class Sleeping:
    """Takes some time for each network, and makes its score up. A file has the time, in milliseconds."""

    file: str

    def __call__(self, architectures: Sequence[str]) -> list[Outcome]:
        began = time.perf_counter()
        seconds = float(Path(self.file).read_text()) / 1e3
        end = began + seconds * len(architectures)
        found = [
            Outcome(
                measure="swap",
                score=(score := 1.0 + zlib.crc32(architecture.encode())),
                log_score=score**0.5,
                details={"patterns": score, "saturation": 0.1},
                neurons=43_008,
                seconds=seconds,
            )
            for architecture in architectures
        ]
        time.sleep(max(0.0, end - time.perf_counter()))
        return found


def ahead_for(workers: int, children: int) -> int:
    """Enough proposals for two parts of each worker; the default of a search where that is enough."""
    return max(SearchSettings().ahead, -(-4 * workers // children))


def measure(crew: Crew, workers: int, milliseconds: float, candidates: int) -> dict[str, Any]:
    space = swap.spaces.get("darts")
    ahead = ahead_for(workers, SearchSettings().children)
    settings = SearchSettings(candidates=candidates, seed=1, ahead=ahead)
    with (
        tempfile.TemporaryDirectory() as folder,
        RunFile.create(Path(folder) / "run.db", {"search": {}}) as run_file,
    ):
        driver = Driver(space, settings, run_file, crew)
        began, cpu = time.perf_counter(), time.process_time()
        driver.run()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "workers": workers,
        "ahead": settings.ahead,
        "ms_a_candidate": milliseconds,
        "candidates": candidates,
        "candidates_per_second": candidates / seconds,
        "main_cpu_ms": 1e3 * cpu / candidates,
    }


def measured(rounds: int) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        time_file = Path(folder) / "milliseconds"
        time_file.write_text("0")
        content = cloudpickle.dumps(Sleeping(str(time_file)))
        workers: list[LocalProcess] = []
        try:
            for count in WORKERS:
                workers += [LocalProcess(content) for _ in range(count - len(workers))]
                crew = Crew(workers)
                while not all(crew._ready):
                    measure(crew, count, 0.0, 100)
                for milliseconds in MILLISECONDS * rounds:
                    time_file.write_text(str(milliseconds))
                    rate = min(count * 1e3 / max(milliseconds, 0.25), 4000.0)
                    candidates = 100 * (1 + round(SECONDS * rate / 100))
                    rows.append(measure(crew, count, milliseconds, candidates))
                    click.echo(rows[-1], err=True)
                time_file.write_text("0")
        finally:
            for worker in workers:
                worker.close()
    return rows


def of_results(rows: list[dict[str, Any]]) -> str:
    """In Markdown: candidates a second, of those that the workers alone would have scored."""

    def median(workers: int, milliseconds: float, value: str) -> float:
        return statistics.median(
            row[value]
            for row in rows
            if (row["workers"], row["ms_a_candidate"]) == (workers, milliseconds)
        )

    def cell(workers: int, milliseconds: float) -> str:
        rate = median(workers, milliseconds, "candidates_per_second")
        if not milliseconds:
            return f"{rate:,.0f}"
        return f"{rate:,.0f} ({100 * rate * milliseconds / 1e3 / workers:.0f} %)"

    headings = ["workers", "`ahead`"]
    headings += [f"{ms:g} ms each" if ms else "no time" for ms in MILLISECONDS]
    headings += ["CPU of the search's process"]
    lines = [
        [
            str(workers),
            f"{median(workers, 0.0, 'ahead'):.0f}",
            *(cell(workers, ms) for ms in MILLISECONDS),
            f"{median(workers, MILLISECONDS[-1], 'main_cpu_ms'):.2f} ms a candidate",
        ]
        for workers in WORKERS
    ]
    return table(headings, lines)


@click.command()
@click.option(
    "--rounds", default=3, show_default=True, help="Searches with each number of workers."
)
@click.option("--only-table", is_flag=True, help="Measures nothing, and writes the table.")
def main(rounds: int, only_table: bool) -> None:
    if not only_table:
        RESULTS.write_text(json.dumps(measured(rounds), indent=1) + "\n")
    text = of_results(json.loads(RESULTS.read_text()))
    click.echo(text)
    rewrite(PAGE, {"search growth": text})


if __name__ == "__main__":
    main()
