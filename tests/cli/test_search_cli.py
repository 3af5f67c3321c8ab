"""``swapnas search``, ``show``, ``calibrate`` and ``spaces``."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.page_elements import PageElements
from support.searches import essence

import swapnas_ext as swap
from swapnas_ext.cli import main
from swapnas_ext.cli import worker_options as workers
from swapnas_ext.search import Candidate, Outcome, RunFile
from swapnas_ext.search.one_thread import one_thread

SPACE = ("--space", "nasbench201", "--channels", "2", "--cells", "1")
SMALL = (*SPACE, "--samples", "8", "--population", "12", "--tournament", "4", "--workers", "1")
SEARCH = (*SMALL, "--measure", "swap")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run.db"
    result = run("search", *SEARCH, "--candidates", 40, "--seed", 1, "--run", path)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].split() == ["rank", "score", "params", "architecture"]
    assert f"all results: swapnas show {path}\n" in result.stderr
    return path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_json(finished: Path) -> None:
    result = run("show", finished, "--json", "--top", 7)
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    best = content["best"]
    assert len(best) == 7
    assert [entry["score"] for entry in best] == sorted(
        (entry["score"] for entry in best), reverse=True
    )
    space = swap.spaces.get("nasbench201", channels=2, cells=1)
    for entry in best:
        assert entry["params"] == space.size(entry["architecture"])
        assert entry["formats"]["NAS-Bench-201, xautodl"] == entry["architecture"]
    assert content["candidates"] == 40
    assert content["family"] == content["failed"] == []
    assert not content["interrupted"]
    scorer = swap.Scorer(swap.data.photograph(8), init="gaussian", seed=1)
    with one_thread():
        assert best[0]["score"] == float(scorer(space.build(best[0]["architecture"])))


def test_table(finished: Path) -> None:
    result = run("show", finished)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(
        "nasbench201, evolution, seed 1: 40 of 40 candidates, 40 scored in"
    )
    assert "complete" in result.stdout
    assert "the first one, for" in result.stdout
    assert re.search(r"^ *40 +\d+", result.stdout, re.MULTILINE)  # the curve


@pytest.mark.slow
def test_page(finished: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("show", finished, "--html", page, "--top", 2)
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    shown = PageElements(text)
    assert shown.charts == ["curve", "front"]
    assert shown.classes.count("drawing") == 2  # of two cells
    assert "xautodl" in text
    assert shown.title.startswith("Search of nasbench201: run.db, ")
    shown.check_nothing_is_fetched()


def test_resume_of_a_finished_run_and_more_candidates(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    path.write_bytes(finished.read_bytes())
    before = path.read_bytes()
    for arguments, problem in (
        (["--space", "darts"], "is a run of the space nasbench201, not of darts"),
        (["--channels", "3", "--space", "nasbench201"], "made with channels=2, not 3"),
        (["--samples", "9"], "made with samples=8, not 9"),
        (["--seed", "2"], "made with seed=1, not 2"),
        (["--run", "x.db"], "give --run to start a search, or --resume"),
    ):
        result = run("search", "--resume", path, *arguments)
        assert result.exit_code == 2
        assert problem in result.output
        assert path.read_bytes() == before
    result = run("search", "--resume", path, "--candidates", 50, "--workers", 1)
    assert result.exit_code == 0, result.output
    with RunFile.read(path) as more, RunFile.read(finished) as fewer:
        assert len(more.candidates()) == 50
        assert essence(more.candidates())[:40] == essence(fewer.candidates())
    result = run("search", "--resume", path, "--candidates", 10, "--workers", 1)
    assert result.exit_code == 0, result.output
    assert "was at 50 candidates already, and ends with them, not with 10" in result.stderr


@pytest.mark.slow
def test_a_run_of_a_version_without_fast_layers_goes_on_as_it_was(tmp_path: Path) -> None:
    path, older = tmp_path / "run.db", tmp_path / "older.db"
    arguments = ["search", *SPACE, "--samples", 8, "--population", 4, "--torch-layers"]
    assert run(*arguments, "--run", path, "--candidates", 12).exit_code == 0
    assert run(*arguments, "--run", older, "--candidates", 6).exit_code == 0
    with sqlite3.connect(older) as connection:
        ((text,),) = connection.execute("SELECT value FROM about WHERE name = 'settings'")
        settings = json.loads(text)
        assert not settings["scorer"].pop("fast_layers")
        assert settings["command"]["scoring"].pop("torch_layers")
        connection.execute(
            "UPDATE about SET value = ? WHERE name = 'settings'", [json.dumps(settings)]
        )
    assert "torch-layers = true" in run("show", older, "--config").stdout
    result = run("search", "--resume", older, "--candidates", 12)
    assert result.exit_code == 0, result.output
    with RunFile.read(path) as whole, RunFile.read(older) as resumed:
        assert essence(resumed.candidates()) == essence(whole.candidates())


@pytest.mark.slow
def test_resume_after_the_images_moved(tmp_path: Path) -> None:
    path, old, new = tmp_path / "run.db", tmp_path / "old.npy", tmp_path / "new.npy"
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    np.save(old, pixels)
    arguments = ["search", *SPACE, "--samples", 8, "--run", path, "--candidates", 6]
    assert run(*arguments, "--images", old, "--population", 4).exit_code == 0
    old.rename(new)
    resume = ["search", "--resume", path, "--candidates", 9]
    result = run(*resume)
    assert result.exit_code == 2
    assert "old.npy" in result.output
    assert "give its new place with --images" in result.output
    result = run(*resume, "--images", new)
    assert result.exit_code == 0, result.output
    with RunFile.read(path) as run_file:
        assert len(run_file.candidates()) == 9
    assert run("search", "--resume", path).exit_code == 0  # it knows the new place
    np.save(new, pixels[::-1])
    result = run(*resume, "--images", new)
    assert result.exit_code == 2
    assert f"{path} was made with other images" in result.output


@pytest.mark.slow
def test_a_family(tmp_path: Path) -> None:
    path = tmp_path / "family.db"
    result = run("search", *SEARCH, "--candidates", 90, "--target-params", "2k,3.5k", "--run", path)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split()[0] == "wanted"
    assert [line.split()[0] for line in lines[1:3]] == ["2,000", "3,500"]
    content = json.loads(run("show", path, "--json").stdout)
    assert [entry["target_params"] for entry in content["family"]] == [2000.0, 3500.0]
    assert all(entry["mu"] for entry in content["controls"])
    assert run("show", path, "--html", tmp_path / "page.html").exit_code == 0


@pytest.mark.slow
def test_limits(tmp_path: Path) -> None:
    result = run(
        "search", *SEARCH, "--candidates", 20, "--max-params", "10", "--run", tmp_path / "a.db"
    )
    assert result.exit_code == 2
    assert "the smallest that was tried has 1,332" in result.output
    result = run(
        *("search", *SEARCH, "--candidates", 12, "--run", tmp_path / "b.db"),
        *("--max-params", "3k", "--max-flops", "1G", "--max-latency", "5s"),
    )
    assert result.exit_code == 0, result.output
    best = json.loads(run("show", tmp_path / "b.db", "--json").stdout)["best"]
    assert all(entry["params"] <= 3000 for entry in best)
    assert all(0 < entry["flops"] <= 1e9 and 0 < entry["latency"] <= 5 for entry in best)
    assert all(e["latency_low"] <= e["latency"] <= e["latency_high"] for e in best)


@pytest.mark.slow
def test_how_many_are_beyond_a_limit(tmp_path: Path) -> None:
    path, page = tmp_path / "run.db", tmp_path / "page.html"
    result = run("search", *SEARCH, "--candidates", 20, "--max-flops", "500k", "--run", path)
    assert result.exit_code == 0, result.output
    content = json.loads(run("show", path, "--json").stdout)
    beyond = content["over"]
    assert 0 < len(beyond) < 20
    assert {entry["limit"] for entry in beyond} == {"flops"}
    assert all(entry["flops"] > 500_000 for entry in beyond)
    line = f"{len(beyond)} of 20 take more than 0.5 MFLOPs"
    assert line in result.output
    assert line in run("show", path).stdout
    assert run("show", path, "--html", page).exit_code == 0
    assert line in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["search"], "give a --space; known: darts, nasbench101"),
        (["search", "--space", "nas"], "unknown search space 'nas'"),
        (["search", "--space", "nas:Space"], "No module named 'nas', neither in this folder nor"),
        (["search", "--space", "os:getpid"], "os:getpid is no search space"),
        (["search", "--space", "darts", "--dataset", "x"], "darts has no option dataset"),
        (["search", "--space", "darts", "--space-option", "x"], "takes NAME=VALUE"),
        (["search", *SPACE, "--candidates", "0"], "candidates must be at least 1"),
        (["search", *SPACE, "--target-params", "1.5X"], "'1.5X' is no number, nor one with a unit"),
        (["search", *SPACE, "--max-latency", "fast"], "'fast' is no number"),
        (["search", *SPACE, "--mu", "3"], "mu and sigma go together"),
        (["search", *SPACE, "--images", "/nowhere"], "no images at /nowhere"),
        (["search", *SPACE, "--run", "/nowhere/run.db"], "there is no folder /nowhere"),
        (["search", "--resume", "/nowhere/run.db"], "there is no run file /nowhere/run.db"),
        (["search", *SPACE, "--ray", "--ray-address", "auto"], "give one of them"),
        (["search", *SPACE, "--workers", "0"], "at least 1 is needed"),
        (["show", "/nowhere/run.db"], "there is no run file"),
        (["calibrate"], "give a --space"),
        (["calibrate", *SPACE, "--target-params", "0"], "a target is a positive number"),
        (["search", *SPACE, "--run", "."], "is a folder: give the name of a file"),
        (
            ["search", *SPACE[:2], "--space-option", "channels=abc"],
            "does not take {'channels': 'abc'}",
        ),
        (
            ["search", *SPACE[:2], "--space-option", "channels=4.5"],
            "channels must be a whole number, got 4.5",
        ),
        (["search", *SPACE, "--device", "xyz"], "xyz"),
    ],
)
def test_bad_input(arguments: list[str], problem: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code in (1, 2)
    assert problem in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.glob("*.db"))  # nothing half-made


def test_files_that_are_there(finished: Path, tmp_path: Path) -> None:
    result = run("search", *SEARCH, "--run", finished)
    assert result.exit_code == 2
    assert "exists: continue it with --resume" in result.output
    text = tmp_path / "notes.db"
    text.write_text("these are notes, and no run file")
    for arguments in (("show", text), ("search", "--resume", text)):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "not a run file" in result.output
    for arguments in (
        ("show", finished, "--json", "--html", tmp_path / "x.html"),
        ("show", finished, "--top", "0"),
        ("show", finished, "--html", tmp_path / "none" / "x.html"),
    ):
        assert run(*arguments).exit_code == 2


def test_a_search_ranks_by_the_recommended_measure(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    result = run("search", *SMALL, "--candidates", 6, "--run", path)
    assert result.exit_code == 0, result.output
    with RunFile.read(path) as run_file:
        assert run_file.settings["scorer"]["measure"] == swap.measures.recommended
        assert run_file.settings["scorer"]["init"] == "keep"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_a_search_by_the_composite_score(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    result = run("search", *SEARCH, "--measure", "composite", "--candidates", 15, "--run", path)
    assert result.exit_code == 0, result.output
    assert run("search", "--resume", path).stdout == result.stdout
    best = json.loads(run("show", path, "--json").stdout)["best"][0]
    space = swap.spaces.get("nasbench201", channels=2, cells=1)
    scorer = swap.Scorer(swap.data.photograph(8), init="kaiming", measure="composite")
    with one_thread():
        score = scorer(lambda: space.build(best["architecture"]))
    assert best["score"] == pytest.approx(score.value)
    assert best["patterns"] == score.mean


def test_more_workers_than_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 1)
    result = run(
        *("search", *SMALL[:-2], "--candidates", 6, "--workers", 99),
        *("--run", tmp_path / "run.db"),
    )
    assert result.exit_code == 0, result.output
    assert "--workers 99: 1 cores are busy with 1 of them" in result.stderr


@pytest.mark.slow
def test_calibrate() -> None:
    result = run("calibrate", *SPACE, "--architectures", 20, "--workers", 1, "--samples", 8)
    assert result.exit_code == 0, result.output
    mu, sigma = re.search(r"--mu (\S+) --sigma (\S+)", result.stdout).groups()  # type: ignore[union-attr]
    result = run(
        *("calibrate", *SPACE, "--architectures", 20, "--workers", 1, "--samples", 8),
        *("--json", "--target-params", "2k"),
    )
    content = json.loads(result.stdout)
    assert content["mu"] == 2.0
    assert content["architectures"] == 20
    assert content["smallest"] < content["median"] < content["largest"] == float(mu) * 1e3
    assert float(sigma) > 0


def test_spaces() -> None:
    result = run("spaces")
    assert result.exit_code == 0, result.output
    content = json.loads(run("spaces", "--json").stdout)
    assert [row["space"] for row in content] == swap.spaces.names()
    for row in content:
        assert row["space"] in result.stdout
        swap.spaces.get(row["space"]).check(row["example"])


def test_measures() -> None:
    result = run("measures")
    assert result.exit_code == 0
    first = result.stdout.splitlines()[1]
    assert first.startswith(swap.measures.recommended) and first.endswith("recommended")
    listed = json.loads(run("measures", "--json").stdout)
    assert [row["measure"] for row in listed if row["recommended"]] == [swap.measures.recommended]
    assert {row["measure"] for row in listed} == {*swap.measures.names()}


@pytest.mark.parametrize(
    "command", [(), ("search",), ("show",), ("calibrate",), ("spaces",), ("measures",)]
)
def test_help(command: tuple[str, ...]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    if command and command[0] not in ("spaces", "measures"):
        assert "Examples:" in result.output


OWN = """
import swapnas_ext as swap


class Mine(swap.spaces.space_class("nasbench201")):
    def __init__(self, channels=2):
        super().__init__(channels=channels, cells=1)
"""


@pytest.mark.slow
def test_a_space_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(OWN)

    def swapnas(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "swapnas_ext.cli", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    made = ("--space", "mine:Mine", "--samples", "8", "--space-option", "channels=3")
    result = swapnas("search", *made, "--candidates", "10", "--run", "run.db", "--workers", "1")
    assert result.returncode == 0, result.stderr
    resume = ("search", "--resume", tmp_path / "run.db", "--candidates", 14)
    refused = run(*resume)
    assert refused.exit_code == 2
    assert "a space of your own: give --space mine:Mine too" in refused.stderr

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setitem(sys.modules, "mine", sys)  # so that the end of the test removes it
    del sys.modules["mine"]
    resumed = run(*resume, "--space", "mine:Mine")
    assert resumed.exit_code == 0, resumed.output
    shown = run("show", tmp_path / "run.db", "--json", "--space", "mine:Mine").stdout
    assert json.loads(shown)["candidates"] == 14
    assert "formats" in shown


@pytest.mark.slow
def test_a_space_of_ones_own_by_the_installed_command(tmp_path: Path) -> None:
    """Which does not look into the current folder by itself, and nor do its workers."""
    command = Path(sys.executable).with_name("swapnas")
    if not command.exists():
        pytest.skip("the command is not installed beside this Python")
    (tmp_path / "mine.py").write_text(OWN)
    made = [command, "search", "--space", "mine:Mine", "--samples", "8", "--candidates", "8"]
    result = subprocess.run(
        [*made, "--run", "run.db", "--workers", "1"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_show_has_distinct_architectures_and_the_front(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    space = swap.spaces.get("nasbench-macro")
    about = {
        "space": swap.search.describe_space(space),
        "search": {"strategy": "listed", "seed": 0},
    }
    codes = ("00000000", "00000001", "11100000", "11100001")
    with RunFile.create(path, about) as run_file:
        run_file.record(
            [
                Candidate(
                    number, 0, code, code, (), 99 - number, Outcome.of_patterns(90.0 - number), 0.0
                )
                for number, code in enumerate(codes)
            ]
        )
    shown = CliRunner().invoke(main, ["show", str(path), "--distinct"])
    assert shown.exit_code == 0, shown.output
    best, _, front = shown.output.partition("the front of size and score")
    assert "others alike" in best and "00000001" not in best and "11100000" in best
    assert "11100001" in front
    found = json.loads(
        CliRunner().invoke(main, ["show", str(path), "--json", "--apart", "9"]).output
    )
    assert [
        (one["architecture"], one["rank"], one["others_alike"]) for one in found["distinct"]
    ] == [("00000000", 1, 3)]
    assert [one["architecture"] for one in found["front"]] == list(reversed(codes))
    page = tmp_path / "page.html"
    assert (
        CliRunner().invoke(main, ["show", str(path), "--distinct", "--html", str(page)]).exit_code
        == 0
    )
    assert "others alike" in page.read_text()
    drawn = re.search(r"<summary>#(\d+) .*?: score ([\d.]+), ", page.read_text())
    assert drawn is not None and drawn[1] == "3"  # its rank among all, as in the table
    assert float(drawn[2]) == 88.0
