"""Ctrl-C, once and twice."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.searches import small_space

from swapnas_ext._util.ctrl_c import ctrl_c_ignored, ctrl_c_later
from swapnas_ext.search import RunFile

SPACE = ("--space", "nasbench201", "--channels", "2", "--cells", "1")
MODELS = """
import time
from pathlib import Path
from torch import nn

def make():
    with open("begun", "a") as file:
        file.write("x" * 11)
    time.sleep(0.02)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
"""


def in_run_file(folder: Path, name: str = "out.db") -> int:
    try:
        with RunFile.read(folder / name) as run_file:
            return len(run_file.candidates())
    except (OSError, RuntimeError):
        return 0


def models_made(folder: Path) -> int:
    path = folder / "begun"
    return path.stat().st_size // 11 if path.exists() else 0


COMMANDS: dict[str, tuple[list[str], Callable[[Path], int], str]] = {
    "search": (
        ["search", *SPACE, "--candidates", "100000", "--run", "out.db"],
        in_run_file,
        "of 100,000: continue with swapnas search --resume out.db",
    ),
    "all": (
        ["score", *SPACE, "--all", "--output", "out.csv"],
        lambda folder: in_run_file(folder, "out.csv.db"),
        "are in out.csv; the same command continues",
    ),
    "correlate": (
        ["correlate", *SPACE, "--table", "table.csv", "--output", "out"],
        in_run_file,
        "networks are in out.db; the same command goes on",
    ),
    "score": (
        ["score", *["--model", "models:make"] * 2000, "--output", "out.csv"],
        models_made,
        "of 2000 scored",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "pause"),
    [("search", 0.0), ("search", 0.3), ("all", 0.3), ("correlate", 0.0), ("score", 0.3)],
)
def test_twice(command: str, pause: float, tmp_path: Path) -> None:
    arguments, begun, told = COMMANDS[command]
    (tmp_path / "models.py").write_text(MODELS)
    if command == "correlate":
        space, rng = small_space(), random.Random(0)
        texts = dict.fromkeys(space.sample(rng) for _ in range(2000))
        with open(tmp_path / "table.csv", "w", newline="") as file:
            csv.writer(file).writerows(
                [("arch", "acc"), *((text, k) for k, text in enumerate(texts))]
            )
    process = subprocess.Popen(
        [sys.executable, "-m", "swapnas_ext.cli", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Shells start what runs in the background with this signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while begun(tmp_path) < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, workers and all
    time.sleep(pause)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)  # while it ends
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    deadline = time.monotonic() + 30
    if process.returncode != -signal.SIGINT:  # it had ended, but for Python itself
        assert process.returncode == 130, errors
    assert told in errors
    assert begun(tmp_path) >= 10
    while alive := _alive(process.pid):  # no worker is left
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)


def _alive(group: int) -> list[str]:
    """Processes of a group, but for those that nobody has asked for their exit code."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().rpartition(")")
        except OSError:  # it ended
            continue
        state, _, of_group = rest.split()[:3]
        if int(of_group) == group and state != "Z":
            found.append(name)
    return found


@pytest.fixture
def usual_ctrl_c() -> Iterator[None]:
    """Shells start what runs in the background with this signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_what_comes_later_is_not_lost(usual_ctrl_c: None) -> None:
    done = False
    with pytest.raises(KeyboardInterrupt), ctrl_c_later():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        done = True
    assert done
    with ctrl_c_ignored():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_processes_that_are_started_meanwhile_get_none() -> None:
    script = "import time; print('up', flush=True); time.sleep(0.5); print('done')"
    with ctrl_c_later():
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate()[0] == b"done\n"
    assert process.returncode == 0
