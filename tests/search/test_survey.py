"""Scoring a whole space: every architecture, isomorphic ones once, resumed where it stopped."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.searches import OPTIONS, MadeUpWorker, small_scorer, small_space

import swapnas_ext as swap
from swapnas_ext.cli import main
from swapnas_ext.search import Progress, RunFile, describe_scorer, listing, survey
from swapnas_ext.search.survey import COLUMNS, Survey, survey_csv
from swapnas_ext.spaces import nasbench201

GROUPS = 24


class Few(Survey):
    """The forms of the most cells: all would take minutes."""

    groups = None  # type: ignore[assignment]


@pytest.fixture(scope="module")
def groups() -> dict[str, list[str]]:
    found = Survey("nasbench201", OPTIONS, small_scorer(), Path("unused")).groups
    assert len(found) == 5260
    assert sum(map(len, found.values())) == 15_625
    largest = sorted(found, key=lambda form: len(found[form]))[-GROUPS:]
    return {form: found[form] for form in largest}


@pytest.fixture(autouse=True)
def few(groups: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Few, "groups", groups)


@pytest.fixture
def made(tmp_path: Path) -> Survey:
    return Few("nasbench201", OPTIONS, small_scorer(), tmp_path / "scores.csv")


def rows_of(made: Survey) -> list[dict[str, Any]]:
    return [row for rows in made.rows().values() for row in rows]


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_scores_of_all_forms(made: Survey) -> None:
    space = small_space()
    for group in list(made.groups.values())[:5]:
        assert len({space.canonical(text) for text in group}) == 1
        assert space.size(group[0]) == min(space.size(text) for text in group)
    assert made.rows() == {}
    made.score(workers=2)
    rows = rows_of(made)
    assert [row["architecture"] for row in rows] == [
        text for group in made.groups.values() for text in group
    ]
    first = next(iter(made.groups.values()))[0]
    expected = made.scorer(space.build(first))
    assert rows[0]["scored_as"] == first
    assert rows[0]["score"] == expected
    assert rows[0]["neurons"] == expected.neurons
    for row in rows:
        assert row["parameters"] == space.size(row["architecture"])


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> MadeUpWorker:
    """Scores of no networks."""
    hired = MadeUpWorker()
    monkeypatch.setattr(listing, "hire", lambda evaluator, workers: [hired])
    return hired


def test_what_was_scored_is_not_scored_again(made: Survey, worker: MadeUpWorker) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done >= 10:
            raise KeyboardInterrupt

    assert made.score(on_progress=interrupt).interrupted
    before = made.rows()
    assert 10 <= len(before) < GROUPS
    worker.seen.clear()
    made.score()
    assert len(worker.seen) == GROUPS - len(before)
    after = made.rows()
    assert list(after) == list(made.groups)
    assert {form: after[form] for form in before} == before


def as_version_0_1_0_left_it(made: Survey) -> bytes:
    """The CSV file of a whole survey, with its settings and without a run file."""
    made.output.unlink(missing_ok=True)
    made.score()
    whole = survey_csv(rows_of(made)).encode()
    made.output.write_bytes(whole)
    made.run_file.unlink()
    about = {"version": "0.1.0", "space": "nasbench201", "options": OPTIONS}
    made.settings_file.write_text(json.dumps({**about, **describe_scorer(made.scorer)}))
    return whole


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0, 1, 30, 200])
def test_a_csv_file_of_version_0_1_0_goes_on_wherever_it_was_cut(
    made: Survey, worker: MadeUpWorker, cut: int
) -> None:
    whole = as_version_0_1_0_left_it(made)
    made.output.write_bytes(whole[: len(whole) - cut])
    worker.seen.clear()
    kept = made.rows()
    assert len(kept) == (GROUPS if cut == 0 else GROUPS - 1)
    made.score()
    assert len(worker.seen) == GROUPS - len(kept)
    assert survey_csv(rows_of(made)).encode() == whole
    assert (
        survey_csv([row for rows in kept.values() for row in rows]).encode()
        == whole[: len(survey_csv([row for rows in kept.values() for row in rows]))]
    )


@pytest.mark.slow
def test_rows_that_were_kept_stay_while_it_goes_on(made: Survey, worker: MadeUpWorker) -> None:
    """Also where it is interrupted, and after the CSV file was written anew."""
    whole = as_version_0_1_0_left_it(made)
    half = whole[: len(whole) // 2]
    made.output.write_bytes(half)
    kept = made.rows()

    def interrupt(progress: Progress) -> None:
        if progress.done >= 5:
            raise KeyboardInterrupt

    made.score(on_progress=interrupt)
    made.output.write_text(survey_csv(rows_of(made)))
    worker.seen.clear()
    assert len(made.rows()) > len(kept)
    made.score()
    made.output.write_text(survey_csv(rows_of(made)))
    assert made.output.read_bytes() == whole
    assert not set(worker.seen) & {rows[0]["scored_as"] for rows in kept.values()}


def test_other_settings_and_other_files_are_refused(made: Survey, worker: MadeUpWorker) -> None:
    other = [
        (small_scorer(seed=1), "made with seed=0, not 1"),
        (swap.Scorer(swap.data.photograph(9, 16)[1:], init="gaussian"), "other images|inputs="),
    ]
    made.score()
    for scorer, problem in other:
        with pytest.raises(ValueError, match=problem):
            Few("nasbench201", OPTIONS, scorer, made.output).score()
    as_version_0_1_0_left_it(made)
    for scorer, problem in other:
        with pytest.raises(ValueError, match=problem):
            Few("nasbench201", OPTIONS, scorer, made.output).score()
    assert not made.run_file.exists()
    made.settings_file.unlink()
    with pytest.raises(ValueError, match=r"exists, and no scores\.csv\.db or readable"):
        made.score()
    as_version_0_1_0_left_it(made)
    made.output.write_text("notes of mine")
    with pytest.raises(ValueError, match="does not begin with the columns of a survey"):
        made.score()
    assert made.output.read_text() == "notes of mine"


def test_sizes_regularise_each_for_itself(made: Survey, worker: MadeUpWorker) -> None:
    regularised = Few("nasbench201", OPTIONS, small_scorer(mu=1.0, sigma=2.0), made.output)
    regularised.score()
    rows = regularised.rows()[list(made.groups)[-1]]
    assert len({row["patterns_mean"] for row in rows}) == 1
    sizes = {row["parameters"] for row in rows}
    assert len({row["score"] for row in rows}) == len(sizes) > 1


def test_texts_that_a_spreadsheet_would_compute(
    made: Survey, worker: MadeUpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    formula = "=1+1"
    row = {**dict.fromkeys(COLUMNS, 1), "architecture": formula, "scored_as": formula}
    text = survey_csv([row])
    assert text.splitlines()[1].startswith("'=1+1,'=1+1,1")
    made.output.write_text(text)
    (found,) = survey._whole_rows(made.output)
    assert found["architecture"] == found["scored_as"] == formula
    assert survey_csv([found]) == text


def test_a_space_too_large_to_list(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too large to list"):
        _ = Survey("darts", {}, small_scorer(), tmp_path / "x.csv").groups


# ---- the command ---------------------------------------------------------------------------------


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = ["none", "nor_conv_1x1", "skip_connect", "none", "none", "avg_pool_3x3"]
    few = [nasbench201.format_cell(tuple(forms[k:] + forms[:k])) for k in range(6)]
    monkeypatch.setattr(nasbench201.NASBench201, "__iter__", lambda self: iter(few))
    path = tmp_path / "all.csv"
    arguments = [
        "--space", "nasbench201", "--all", "--channels", 2, "--cells", 1, "--samples", 8,
        "--size", 16, "--workers", 1, "--output", path,
    ]  # fmt: skip
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "6 architectures of" in result.stdout
    assert len(read(path)) == 6
    with RunFile.read(tmp_path / "all.csv.db") as run_file:
        assert run_file.settings["command"]["space"]["name"] == "nasbench201"
    before = path.read_bytes()
    again = run(*arguments)
    assert again.exit_code == 0
    assert "has 6 of 6: continuing" in again.stderr
    assert "scored 0 networks" in again.stdout
    assert path.read_bytes() == before
    refused = run(*arguments, "--seed", 5)
    assert refused.exit_code == 2
    assert "made with seed=0, not 5" in refused.stderr
    assert "continuing" not in refused.stderr
    path.unlink()
    assert run(*arguments).exit_code == 0
    assert path.read_bytes() == before


def test_networks_that_fail_cost_only_themselves(
    groups: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [group[0] for group in groups.values()][:4]
    monkeypatch.setattr(nasbench201.NASBench201, "__iter__", lambda self: iter(few))
    hired = MadeUpWorker(frozenset(few[2:3]))
    monkeypatch.setattr(listing, "hire", lambda evaluator, workers: [hired])
    path = tmp_path / "all.csv"
    result = run("--space", "nasbench201", "--all", "--output", path)
    assert result.exit_code == 2
    assert f"could not be scored; the first is {few[2]}: ValueError: it does not" in result.stderr
    assert few[2] not in {row["architecture"] for row in read(path)}
    assert few[1] in {row["architecture"] for row in read(path)}


@pytest.mark.slow
def test_kill_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    arguments = ["--space", "nasbench201", "--channels", "2", "--cells", "1", "--samples", "8"]
    process = subprocess.Popen(
        [sys.executable, "-m", "swapnas_ext.cli", "score", "--all", *arguments, "--output", path],
        stderr=subprocess.DEVNULL,
    )

    def scored() -> int:
        try:
            with RunFile.read(tmp_path / "all.csv.db") as run_file:
                return len(run_file.candidates())
        except (OSError, RuntimeError):
            return 0

    deadline = time.monotonic() + 120
    while scored() < 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not path.exists()
    scorer = swap.Scorer(swap.data.photograph(8), init="gaussian")
    assert len(Survey("nasbench201", OPTIONS, scorer, path).rows()) >= 20


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--all"], "--all goes with --space"),
        (["--all", "--space", "darts"], "too large to list"),
        (["--all", "--space", "nasbench201", "--arch", "x"], "without --arch"),
        (["--all", "--space", "nasbench201", "--device", "cuda"], "scores on the CPU"),
        (
            ["--space", "nasbench201", "--network", "cifar10"],
            "nasbench201 has no option network; it has: dataset",
        ),
        (
            ["--space", "darts", "--dataset", "cifar10"],
            "darts has no option dataset; it has: network",
        ),
    ],
)
def test_bad_input(arguments: list[str], problem: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert problem in result.output
    assert "Traceback" not in result.output
