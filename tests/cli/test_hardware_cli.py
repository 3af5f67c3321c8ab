"""``swapnas search`` with an objective, and with commands that measure latency."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.page_elements import PageElements

from swapnas_ext.cli import main
from swapnas_ext.search import Candidate, Outcome, RunFile, driver, load

SMALL = ("--space", "nasbench201", "--channels", "2", "--cells", "1", "--samples", "8")
SEARCH = (*SMALL, "--measure", "swap", "--population", "4", "--workers", "1", "--seed", "1")
PYTHON = shlex.quote(sys.executable)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A command for a device that is slow for large files, fails for some, and notes each call."""
    folder = tmp_path_factory.mktemp("device")
    script = folder / "phone.py"
    script.write_text(
        "import os, sys\n"
        f"open({str(folder / 'calls')!r}, 'a').write('x')\n"
        "size = os.path.getsize(sys.argv[1])\n"
        "if size % 3 == 0:\n"
        "    sys.exit('out of memory')\n"
        "print(*(size / 1000 * (1 + k / 1000) for k in range(10)))\n"
    )
    return f"{PYTHON} {shlex.quote(str(script))} {{onnx}}"


@pytest.fixture(scope="module")
def searched(device: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run.db"
    command = ("--latency-command", f"pixel={device}", "--objective", "latency")
    result = run("search", *SEARCH, "--candidates", 14, *command, "--run", path)
    assert result.exit_code == 0, result.output
    assert "the front of latency and score" in result.stdout
    return path


@pytest.mark.slow
def test_the_front_of_the_device_is_shown(searched: Path) -> None:
    found = load(searched)
    failed = found.failed
    assert 0 < len(failed) < 14
    assert failed[0].outcome is not None
    assert failed[0].outcome.error == (
        "RuntimeError: pixel: the command ended with exit code 1: out of memory"
    )
    shown = run("show", searched).stdout
    assert "objective latency" in shown
    assert "ms (pixel)" in shown
    assert "neighbours on the front can't be told apart by latency" in shown or len(found.front) < 2
    assert f"{len(failed)} could not be scored" in shown
    content = json.loads(run("show", searched, "--json").stdout)
    assert content["objective"] == {"name": "latency", "unit": "seconds"}
    assert [one["latency"] for one in content["front"]] == [row.latency for row in found.front]
    assert set(content["front"][0]["latencies"]) == {"pixel"}


def test_the_page_draws_and_lists_the_front(searched: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("show", searched, "--html", page).exit_code == 0
    text = page.read_text()
    shown = PageElements(text)
    assert "The front of latency and score" in shown.headings
    assert "Score against latency" in text
    assert "ms (pixel)" in shown.headings


@pytest.mark.slow
def test_a_command_in_a_run_file_does_not_run_unasked(searched: Path, device: str) -> None:
    calls = Path(shlex.split(device)[1]).with_name("calls")
    before = calls.read_text()
    refused = run("search", "--resume", searched)
    assert refused.exit_code == 2
    assert "runs only if it is given again: add --latency-command" in words(refused.stderr)
    assert shlex.quote(f"pixel={device}") in refused.stderr
    other = run("search", "--resume", searched, "--latency-command", "pixel=echo {onnx}")
    assert other.exit_code == 2
    assert "not measured by pixel=echo {onnx}" in words(other.stderr)
    assert calls.read_text() == before
    again = ("--latency-command", f"pixel={device}", "--candidates", 18)
    assert run("search", "--resume", searched, *again).exit_code == 0
    assert len(load(searched).candidates) == 18
    assert len(calls.read_text()) > len(before)


@pytest.mark.slow
def test_its_configuration_has_the_command_as_a_comment(searched: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(run("show", searched, "--config").stdout)
    assert 'objective = "latency"' in file.read_text()
    lines = file.read_text().splitlines()
    assert all(line.startswith("#") for line in lines if "phone.py" in line)
    file.write_text(file.read_text().replace("\n# ", "\n").replace("The search", "# The search"))
    again = tmp_path / "again.db"
    result = run("search", "--config", file, "--candidates", 14, "--workers", 1, "--run", again)
    assert result.exit_code == 0, result.output
    assert [c.architecture for c in load(again).candidates] == [
        c.architecture for c in load(searched).candidates[:14]
    ]


@pytest.mark.slow
def test_two_devices_without_a_limit_are_recorded(device: str, tmp_path: Path) -> None:
    board = f"{PYTHON} -c 'print(7)' {{torch}}"
    devices = ("--latency-command", device, "--latency-command", f"board={board}")
    path = tmp_path / "run.db"
    result = run("search", *SEARCH, "--candidates", 3, *devices, "--run", path)
    assert result.exit_code == 0, result.output
    assert "ms (phone)  ms (board)" in result.stdout  # the name of the script


@pytest.mark.slow
def test_memory(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    made = ("--objective", "memory", "--max-peak-memory", "80kB", "--candidates", 10)
    result = run("search", *SEARCH, *made, "--run", path)
    assert result.exit_code == 0, result.output
    assert "of 10 need more than 80 kB" in result.stdout
    assert "the front of peak memory and score" in result.stdout
    found = load(path)
    assert 0 < len(found.over) < 10
    assert all(row.memory <= 80_000 for row in found.ranked())
    listed = words(run("show", path).stdout).partition("the front of peak memory")[2]
    assert f"{found.front[0].memory / 1e6:.4g}" in listed


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--objective", "speed"), "'speed' is not one of"),
        (("--objective", "latency", "--target-params", "1M"), "or the objective latency"),
        (("--latency-command", "python measure.py"), "gets no network"),
        (
            ("--latency-command", "phone=a {onnx}", "--latency-command", "phone=b {onnx}"),
            "two devices",
        ),
        (("--latency-command", "a '{onnx}"), "can't be read"),
        (
            ("--latency-command", "a {onnx}", "--latency-timeout", "0s"),
            "positive number of seconds",
        ),
        (("--latency-timeout", "5s"), "give one too"),
        (("--latency-timeout", "soon"), "is no number"),
        (("--max-peak-memory", "much"), "is no number"),
    ],
)
def test_bad_options(options: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    result = run("search", *SEARCH, *options, "--run", tmp_path / "run.db")
    assert result.exit_code == 2
    assert problem in words(result.stderr)
    assert not (tmp_path / "run.db").exists()


@pytest.mark.slow
def test_a_device_that_always_hangs_ends_the_search(tmp_path: Path) -> None:
    command = f"{PYTHON} -c 'import time; time.sleep(60)' {{onnx}}"
    options = ("--latency-command", f"phone={command}", "--latency-timeout", "20ms")
    result = run("search", *SEARCH, *options, "--candidates", 2, "--run", tmp_path / "run.db")
    assert result.exit_code == 2
    assert "phone: the command took longer than 0.02 s" in words(result.stderr)


@pytest.mark.slow
def test_control_characters_of_a_command_do_not_reach_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"space": {"name": "own"}, "search": {"strategy": "random", "seed": 0}}
    evil = "\x1b]0;owned\x07"
    with RunFile.create(tmp_path / "run.db", settings) as run_file:
        scored, failed = Outcome.of_patterns(3.0), Outcome(error=f"RuntimeError: {evil}")
        for number, outcome in enumerate((scored, failed)):
            run_file.record(
                [Candidate(number, 0, f"cell {number}", str(number), (), 9, outcome, 1.0)]
            )
    shown = run("show", tmp_path / "run.db")
    assert shown.exit_code == 0, shown.output
    assert "owned" in shown.stdout and "\x1b" not in shown.stdout and "\x07" not in shown.stdout

    monkeypatch.setattr(driver, "_ALL_FAIL", 3)
    command = f"{shlex.quote(sys.executable)} -c 'print(\"\\033]0;owned\")' {{torch}}"
    told = run("search", *SEARCH, "--latency-command", command, "--run", tmp_path / "other.db")
    assert told.exit_code == 2, told.output
    assert "owned" in words(told.stderr) and "\x1b" not in told.stderr
