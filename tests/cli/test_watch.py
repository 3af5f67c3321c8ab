"""``swapnas show --watch``: files that grow, are replaced, end, and whose search is killed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from support.searches import SMALL, MadeUpWorker, small_scorer, small_space

from swapnas_ext.cli import main
from swapnas_ext.cli.watch import as_lines, in_terminal
from swapnas_ext.report.live.model import LiveRun, State
from swapnas_ext.search import Candidate, Outcome, RunFile, SearchSettings, search

SETTINGS = {
    "space": {"name": "nasbench201"},
    "search": {"strategy": "random", "seed": 0, "candidates": 50},
}
Step = Callable[[], object]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def record(run_file: RunFile, numbers: range) -> None:
    now = time.time()
    run_file.record(
        [
            Candidate(
                *(number, 0, f"cell {number}", f"form {number}", (), 100),
                Outcome.of_patterns(1.0 + number),
                now,
            )
            for number in numbers
        ]
    )


class Steps:
    """In the place of sleep: does the next step of a story, after which so many seconds have passed."""

    def __init__(self, *steps: Step, seconds: float = 5.0) -> None:
        self._steps: Iterator[Step] = iter(steps)
        self._seconds = seconds
        self.now = time.time()

    def sleep(self, seconds: float) -> None:
        self.now += self._seconds
        next(self._steps)()

    def clock(self) -> float:
        return self.now


def lines_of(path: Path, *steps: Step) -> tuple[list[str], State]:
    story, written = Steps(*steps), list[str]()
    state = as_lines(path, LiveRun(), written.append, clock=story.clock, sleep=story.sleep)
    return written, state


def nothing() -> None:
    """Passes the time."""


def test_a_file_that_comes_grows_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    made: list[RunFile] = []
    written, state = lines_of(
        path,
        nothing,
        lambda: made.append(RunFile.create(path, SETTINGS)),
        lambda: record(made[0], range(3)),
        lambda: record(made[0], range(3, 20)),
        lambda: record(made[0], range(20, 30)),
        nothing,
        lambda: made[0].write_about(ended="complete"),
    )
    made[0].close()
    assert state is State.ENDED
    assert written[0] == f"waiting for the run file {path}"
    assert written[1].startswith("nasbench201, random, seed 0: 0 of 50") and "running" in written[1]
    counts = [line.split(": ")[1].split(" of")[0] for line in written[1:]]
    assert counts == ["0", "20", "30", "30"]  # every ten seconds, and the last one
    assert written[-1].endswith("; ended: complete") and "best 30" in written[-1]


def test_a_search_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    run_file = RunFile.create(path, SETTINGS)
    record(run_file, range(4))
    written, state = lines_of(path, run_file.close, *[nothing] * 5)
    assert state is State.STOPPED
    assert written[1].endswith("stopped without an end: killed, or failed; --resume continues it")
    assert len(written) < 6


def test_a_search_that_is_resumed_in_time(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    RunFile.create(path, SETTINGS).close()
    resumed: list[RunFile] = []
    written, state = lines_of(
        path,
        nothing,
        nothing,
        lambda: resumed.append(RunFile.resume(path)),
        *[nothing] * 6,
        lambda: resumed[0].write_about(ended="complete"),
    )
    resumed[0].close()
    assert state is State.ENDED
    assert "stopped without an end" in written[0] and "running" in written[2]


def test_another_run_takes_the_place_of_the_file(tmp_path: Path) -> None:
    path, other = tmp_path / "run.db", tmp_path / "other.db"
    first, second = RunFile.create(path, SETTINGS), RunFile.create(other, SETTINGS)
    record(first, range(9))
    record(second, range(2))
    second.write_about(ended="complete")
    second.close()

    def replace() -> None:
        first.close()
        other.replace(path)

    written, state = lines_of(path, replace)
    assert state is State.ENDED
    assert written[1] == f"{path} is another run now"
    assert ": 2 of 50" in written[2]


def test_a_file_that_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with RunFile.create(path, SETTINGS) as run_file:
        record(run_file, range(2))
        written, state = lines_of(path, path.unlink)
    assert state is State.GONE
    assert written[-1] == f"{path} was removed"


def test_a_run_that_is_resumed_is_followed(tmp_path: Path) -> None:
    """In a terminal, the view waits for that."""
    path = tmp_path / "run.db"
    with RunFile.create(path, SETTINGS) as run_file:
        record(run_file, range(3))
    resumed: list[RunFile] = []

    def end() -> None:
        record(resumed[0], range(3, 6))
        resumed[0].write_about(ended="exhausted")
        resumed[0].close()

    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, height=24, color_system=None)
    story = Steps(nothing, lambda: resumed.append(RunFile.resume(path)), end)
    assert in_terminal(path, LiveRun(), console, sleep=story.sleep) is State.ENDED
    shown = text.getvalue()
    assert shown.index("stopped without an end") < shown.index("running")
    assert shown.index("running") < shown.index("ended: exhausted")
    assert "3 of 50" in shown and "6 of 50" in shown


def test_a_real_search(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    settings = SearchSettings(candidates=20, **SMALL)
    found = search(small_space(), small_scorer(), settings, workers=MadeUpWorker(), history=path)
    result = run("show", path, "--watch")
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    assert line.startswith("nasbench201, evolution, seed 0: 20 of 20, 100%")
    assert f"best {found.best.score:.6g}" in line and line.endswith("ended: complete")


def test_bad_commands(tmp_path: Path) -> None:
    path, text = tmp_path / "run.db", tmp_path / "notes.txt"
    RunFile.create(path, SETTINGS).close()
    text.write_text("no run file " * 1000)
    for arguments, problem in (
        ((path, "--watch", "--json"), "give one of --json, --html, --config, --watch and --serve"),
        ((path, "--watch", "--serve", 0), "give one of"),
        ((path, "--serve", 0, "--html", tmp_path / "page.html"), "give one of"),
        ((path, "--watch", "--distinct"), "--watch and --serve show no --distinct"),
        ((path, "--watch", "--top", 0), "--top must be at least 1"),
        ((tmp_path, "--watch"), "is no file"),
        ((tmp_path, "--serve", 0), "is no file"),
        ((tmp_path / "missing" / "run.db", "--watch"), "no folder"),
        ((text, "--watch"), "not a run file"),
        ((text, "--serve", 0), "not a run file"),
        ((path, "--serve", 65_536), "65536"),
    ):
        result = run("show", *arguments)
        assert result.exit_code == 2, (arguments, result.output)
        assert problem in result.output
        assert "Traceback" not in result.output
    assert not (tmp_path / "page.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--watch", "--serve=0"])
def test_ctrl_c_ends_the_view_alone(tmp_path: Path, option: str) -> None:
    path = tmp_path / "run.db"
    with RunFile.create(path, SETTINGS) as run_file:
        record(run_file, range(2))
        viewer = subprocess.Popen(
            [sys.executable, "-m", "swapnas_ext.cli", "show", str(path), option],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            preexec_fn=lambda: signal.signal(
                signal.SIGINT, signal.SIG_DFL
            ),  # where tests ignore it
        )
        assert viewer.stdout is not None and viewer.stderr is not None
        assert "2 of 50" in (line := viewer.stdout.readline()) or "http://127.0.0.1:" in line
        viewer.send_signal(signal.SIGINT)
        assert viewer.wait(timeout=60) == 0
        assert viewer.stderr.read() == ""
        record(run_file, range(2, 4))
