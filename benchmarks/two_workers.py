"""How much faster a search is with two workers than with one, and where the rest goes.

Crews of one and of two workers are started once, then their searches take turns, so that a machine that others use too
is the same for both. Whole commands, with their start, take turns after that. Nothing is written::

    OMP_NUM_THREADS=1 python benchmarks/two_workers.py --rounds 5
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from math import log
from pathlib import Path

import click
import psutil
from versions_statistics import Ratio, ratio

import swapnas_ext as swap
from swapnas_ext.search import Evaluator, RunFile, SearchSettings
from swapnas_ext.search.driver import Driver
from swapnas_ext.search.workers import Chunk, Crew, hire

SECONDS, MAIN, WORKERS = range(3)


class Searching:
    """A crew that searches again and again."""

    def __init__(self, workers: int) -> None:
        before = set(psutil.Process().children())
        self._space = swap.spaces.get("darts")
        scorer = swap.Scorer(self._space.inputs(16), init="gaussian", seed=1)
        self._crew = Crew(hire(Evaluator(self._space, scorer), workers))
        rng = random.Random(0)
        while not all(self._crew._ready):
            chunk = Chunk([self._space.sample(rng) for _ in range(20)])
            self._crew.submit(chunk, 1)
            while not chunk.done:
                self._crew.collect()
        self._own = [process for process in psutil.Process().children() if process not in before]

    def search(self, candidates: int) -> tuple[float, float, float]:
        """Seconds, CPU seconds of this process, and of the workers."""
        settings = SearchSettings(candidates=candidates, seed=1)
        with (
            tempfile.TemporaryDirectory() as folder,
            RunFile.create(Path(folder) / "run.db", {"search": {}}) as run_file,
        ):
            driver = Driver(self._space, settings, run_file, self._crew)
            before = time.perf_counter(), time.process_time(), self._cpu()
            driver.run()
            after = time.perf_counter(), time.process_time(), self._cpu()
        seconds, main, workers = (end - start for start, end in zip(before, after, strict=True))
        return seconds, main, workers

    def close(self) -> None:
        self._crew.close()

    def _cpu(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._own)


def command_seconds(workers: int, candidates: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "swapnas_ext.cli", "search", "--space", "darts"]
        command += ["--measure", "swap", "--candidates", str(candidates), "--seed", "1"]
        command += ["--run", str(Path(folder) / "run.db"), "--workers", str(workers)]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start


def text_of(what: str, found: Ratio) -> str:
    return f"{what}: {found.value:.3f}x ({found.low:.3f} to {found.high:.3f}, 95 %)"


@click.command()
@click.option(
    "--rounds", default=5, show_default=True, help="Searches of each.", type=click.IntRange(2)
)
@click.option("--candidates", default=2000, show_default=True, help="Networks of a search.")
@click.option(
    "--commands/--no-commands", default=True, show_default=True, help="Times whole commands too."
)
def main(rounds: int, candidates: int, commands: bool) -> None:
    """Compares DARTS searches with one worker and with two."""
    crews = [Searching(1), Searching(2)]
    found: list[list[tuple[float, float, float]]] = [[], []]
    try:
        for turn in range(rounds):
            for place in (0, 1) if turn % 2 else (1, 0):
                found[place].append(crews[place].search(candidates))
                seconds, main_cpu, workers_cpu = found[place][-1]
                click.echo(
                    f"{place + 1} worker{'s' if place else ''}: {seconds:.2f} s, CPU {main_cpu:.2f} s here and "
                    f"{workers_cpu:.2f} s in workers, load {os.getloadavg()[0]:.1f}",
                    err=True,
                )
    finally:
        for crew in crews:
            crew.close()
    one, two = found
    speed = ratio([log(a[SECONDS] / b[SECONDS]) for a, b in zip(one, two, strict=True)])
    slower = ratio([log(b[WORKERS] / a[WORKERS]) for a, b in zip(one, two, strict=True)])
    here = statistics.median(row[MAIN] / row[WORKERS] for row in two)
    click.echo(text_of("two workers, the search alone", speed))
    click.echo(text_of("CPU time of the same networks in two workers", slower))
    click.echo(f"CPU time of the search's process: {100 * here:.1f} % of that of its workers")
    if commands:
        logarithms = []
        for _ in range(rounds):
            times = [command_seconds(workers, candidates) for workers in (1, 2)]
            logarithms.append(log(times[0] / times[1]))
        click.echo(text_of("two workers, whole commands", ratio(logarithms)))


if __name__ == "__main__":
    main()
