"""Times two versions in turns, each in a process of its own.

A session has several launches. In each, both versions start anew, and go through the rows in turns: round after round,
and in each round the other one first. Only one of the two works at a time.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

LAUNCHES = 6
ROUND = 0.01
"""Seconds that a version works in a round, at least: shorter works are repeated."""
LEAST_ROUNDS = 3
"""Of each row in a launch that compares versions; of a yardstick, which may take seconds, one."""


class Asked(Protocol):
    """A version that does what it is asked: see `versions_worker.Rows`."""

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]: ...


class WorkerError(RuntimeError):
    """A version's process ended."""


class VersionProcess:
    """The process of a version, whose sources and binary are in ``tree``."""

    def __init__(self, tree: Path, threads: int) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(tree),
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "passive",  # threads that spin would take the cores of the other
        }
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `close`
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("versions_worker.py"))],
            cwd=tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.about = self._answer()
        if not Path(self.about["file"]).resolve().is_relative_to(tree.resolve()):
            raise WorkerError(f"{self.about['file']} was imported instead of the package in {tree}")

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Has something done, and waits for the answer.

        Raises:
            WorkerError: the process ended meanwhile.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the answer says why
            print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            last = "".join(self._errors.readlines()[-15:])
            raise WorkerError(f"the process ended with {self._process.returncode}:\n{last}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()


@contextmanager
def running(trees: Sequence[Path], threads: int) -> Iterator[list[VersionProcess]]:
    """Starts versions one after another, and ends them."""
    processes: list[VersionProcess] = []
    try:
        for tree in trees:
            processes.append(VersionProcess(tree, threads))
        yield processes
    finally:
        for process in processes:
            process.close()


@dataclass
class Measured:
    """What a session finds of a row.

    Args:
        launches: the rounds of each launch: the seconds of the first version or the yardstick, and of the second
            version or the only one.
        results: what each version computes.
        yardstick: its name.
        skipped: why there is nothing.
    """

    launches: list[list[tuple[float, float]]] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    yardstick: str = ""
    skipped: str = ""


Clock = Callable[[int], float]
"""Takes a number of calls, and returns the seconds of one of them."""


def clock_of(version: Asked, what: str) -> Clock:
    return lambda calls: version.ask("time", what=what, calls=calls)["seconds"]


def rounds_in_turns(
    clocks: tuple[Clock, Clock], seconds: float, least: int = LEAST_ROUNDS
) -> list[tuple[float, float]]:
    """Has two clocks run in turns for some time, and at least some rounds. Each round begins with the other one."""
    began = time.perf_counter()
    calls = [max(1, math.ceil(ROUND / max(clock(1), 1e-9))) for clock in clocks]
    found: list[tuple[float, float]] = []
    while len(found) < least or time.perf_counter() - began < seconds:
        times = [0.0, 0.0]
        for turn in range(2):
            place = (turn + len(found)) % 2
            times[place] = clocks[place](calls[place])
        found.append((times[0], times[1]))
    return found


def compare_row(row: str, asked: Sequence[Asked], seconds: float, measured: Measured) -> None:
    """Adds a launch of two versions to what is known of a row."""
    answers = [version.ask("prepare", row=row) for version in asked]
    for answer in answers:
        if "skipped" in answer:
            measured.skipped = answer["skipped"]
            return
    measured.results = [answer["result"] for answer in answers]
    first, second = (clock_of(version, "ours") for version in asked)
    measured.launches.append(rounds_in_turns((first, second), seconds))


def measure_row(row: str, asked: Sequence[Asked], seconds: float, measured: Measured) -> None:
    """Adds a launch of a yardstick and of one version to what is known of a row."""
    (version,) = asked
    answer = version.ask("prepare", row=row)
    if "skipped" in answer:
        measured.skipped = answer["skipped"]
        return
    measured.results, measured.yardstick = [answer["result"]], answer["yardstick"]
    clocks = (clock_of(version, "yardstick"), clock_of(version, "ours"))
    measured.launches.append(rounds_in_turns(clocks, seconds, least=1))


def session(
    start: Callable[[], Any],
    rows: Sequence[str],
    budget: float,
    of_row: Callable[[str, Sequence[Asked], float, Measured], None],
    on_row: Callable[[], None] = lambda: None,
) -> dict[str, Measured]:
    """Measures rows in several launches.

    Args:
        start: a context of the versions that are asked.
        rows: names of rows.
        budget: seconds of everything together. At least three rounds of each row are run, whatever that takes.
        of_row: `compare_row` or `measure_row`.
        on_row: called after each row of each launch.
    """
    end = time.perf_counter() + budget
    found = {row: Measured() for row in rows}
    for launch in range(LAUNCHES):
        launch_end = time.perf_counter() + (end - time.perf_counter()) / (LAUNCHES - launch)
        with start() as asked:
            first = launch * len(rows) // LAUNCHES
            order = [*rows[first:], *rows[:first]]
            for place, row in enumerate(order):
                if not found[row].skipped:
                    share = (launch_end - time.perf_counter()) / (len(order) - place)
                    of_row(row, asked, share, found[row])
                on_row()
    return found
