"""``--samples auto`` and ``--repeats auto``: what the commands do with what the pilot chose."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from scipy import stats
from support.searches import essence, small_space

from swapnas_ext.cli import main
from swapnas_ext.search import RunFile, entry_points, listing, piloting
from swapnas_ext.search.workers import ThisProcess

SPACE = ("--space", "nasbench201", "--channels", "2", "--cells", "1", "--workers", "1")
SMALL = ("--measure", "params", "--population", "8", "--tournament", "4")
AUTO = ("--samples", "auto", "--repeats", "auto")
PILOT = r"pilot \((\d+ architectures, )?\d+ s\)"
"""How many are tried depends on the time that they take."""
CELL = "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No processes, and few resamples."""
    for module in (entry_points, listing, piloting):
        monkeypatch.setattr(module, "hire", lambda evaluator, workers: [ThisProcess(evaluator)])
    whole = stats.bootstrap
    monkeypatch.setattr(
        stats, "bootstrap", lambda *args, **options: whole(*args, **{**options, "n_resamples": 9})
    )


def no_pilot(*arguments: object, **options: object) -> None:
    raise AssertionError("a run file that has begun keeps what its pilot chose")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    path = tmp_path / "run.db"
    result = run("search", *SPACE, *SMALL, *AUTO, "--candidates", 20, "--run", path)
    assert result.exit_code == 0, result.output
    assert re.search(PILOT, result.stderr)
    assert "S = 16, R = 1, 32 x 32: agreement between two readings 1.00" in result.stderr
    return path


@pytest.mark.slow
def test_what_was_chosen_is_recorded_and_shown(finished: Path, tmp_path: Path) -> None:
    with RunFile.read(finished) as run_file:
        found = run_file.pilot
        scoring = run_file.settings["command"]["scoring"]
    assert found is not None
    assert (scoring["samples"], scoring["repeats"], scoring["size"]) == (16, 1, None)
    assert found["trials"][0]["samples"] == 16
    assert found["sentence"] in run("show", finished).stdout
    assert found["sentence"] in run("analyze", finished).stdout
    content = json.loads(run("show", finished, "--json").stdout)
    assert content["settings"]["command"]["pilot"] == found
    page = tmp_path / "page.html"
    assert run("show", finished, "--html", page).exit_code == 0
    assert found["sentence"] in page.read_text()


@pytest.mark.slow
def test_a_resumed_search_keeps_the_choice(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swapnas_ext.cli.piloted.pilot", no_pilot)
    result = run("search", "--resume", finished, *AUTO, "--candidates", 30)
    assert result.exit_code == 0, result.output
    assert re.search(PILOT, result.stderr)
    given = tmp_path / "given.db"
    numbers = ("--samples", 16, "--repeats", 1)
    assert (
        run("search", *SPACE, *SMALL, *numbers, "--candidates", 30, "--run", given).exit_code == 0
    )
    with RunFile.read(finished) as resumed, RunFile.read(given) as direct:
        assert essence(resumed.candidates()) == essence(direct.candidates())
        assert resumed.pilot is not None
        assert direct.pilot is None
    other = run("search", "--resume", given, "--samples", "auto")
    assert other.exit_code == 2
    assert "was made with samples=16, not auto" in other.stderr


@pytest.mark.slow
def test_correlate_keeps_the_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space, rng = small_space(), random.Random(0)
    cells = sorted({space.sample(rng) for _ in range(30)})
    table = tmp_path / "table.csv"
    rows = [f'"{cell}",{space.size(cell) + rng.random()}' for cell in cells]
    table.write_text("\n".join(["arch,accuracy", *rows]))
    command = ("correlate", *SPACE, "--measure", "params", *AUTO, "--table", table)
    command = (*command, "--output", tmp_path / "found")
    first = run(*command)
    assert first.exit_code == 0, first.output
    assert re.search(PILOT, first.stderr)
    assert re.search(PILOT, (tmp_path / "found.html").read_text())
    monkeypatch.setattr("swapnas_ext.cli.piloted.pilot", no_pilot)
    again = run(*command)
    assert again.exit_code == 0, again.output
    assert again.stdout == first.stdout
    with RunFile.read(tmp_path / "found.db") as run_file:
        chosen = run_file.pilot
    numbers = ("--samples", chosen["samples"], "--repeats", chosen["repeats"])
    by_hand = run(*command, *numbers)
    assert by_hand.exit_code == 0, by_hand.output
    with RunFile.read(tmp_path / "found.db") as run_file:
        assert run_file.pilot == chosen


@pytest.mark.slow
def test_calibrate_tells_it() -> None:
    result = run(
        *("calibrate", *SPACE, "--samples", "auto", "--architectures", 12, "--json"),
        *("--measure", "params"),
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)["pilot"]
    assert told["samples"] == 16
    assert told["sentence"] in result.stderr


def test_single_architectures_have_no_pilot() -> None:
    result = run("score", *SPACE[:-2], "--samples", "auto", "--arch", CELL)
    assert result.exit_code == 2
    assert "give a number here" in result.stderr


@pytest.mark.parametrize("value", ["0", "-3", "foo", "1.5", "1e3", "999999999999"])
@pytest.mark.parametrize("option", ["--samples", "--repeats"])
def test_values_that_are_no_numbers(option: str, value: str) -> None:
    result = run("search", *SPACE, option, value)
    assert result.exit_code == 2
    assert f"'{value}' is neither a whole number from 1 on nor auto" in result.stderr


@pytest.mark.slow
def test_a_damaged_pilot(finished: Path) -> None:
    connection = sqlite3.connect(finished)
    (text,) = connection.execute("SELECT value FROM about WHERE name = 'settings'").fetchone()
    settings = json.loads(text)
    settings["command"]["pilot"]["repeats"] = "many"
    with connection:
        connection.execute(
            "UPDATE about SET value = ? WHERE name = 'settings'", (json.dumps(settings),)
        )
    connection.close()
    result = run("show", finished)
    assert result.exit_code == 2
    assert "is damaged: its pilot is" in result.stderr
