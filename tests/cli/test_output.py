"""Files that commands write: known to be writable at the start, and whole at the end."""

from __future__ import annotations

import csv
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.run_files import outcome, run_file

import swapnas_ext as swap
from swapnas_ext.cli import main, output
from swapnas_ext.cli import worker_options as workers

CELL = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
SCORE = ("score", "--space", "nasbench201", "--channels", "2", "--cells", "1", "--arch", CELL)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The models that are scored."""
    seen: list[object] = []
    original = swap.Scorer.__call__

    def counted(self: swap.Scorer, model: object) -> swap.SwapScore:
        seen.append(model)
        return original(self, model)

    monkeypatch.setattr(swap.Scorer, "__call__", counted)
    return seen


def test_what_can_not_be_written_is_told_before_anything_is_scored(
    tmp_path: Path, scored: list[object]
) -> None:
    (tmp_path / "file").touch()
    for path, problem in (
        (tmp_path / "missing" / "scores.csv", "there is no folder"),
        (tmp_path, "directory"),
        (tmp_path / "file" / "scores.csv", "there is no folder"),
        (tmp_path / ("x" * 300), "can't be written: File name too long"),
        (Path("/proc/scores.csv"), "can't be written"),
    ):
        result = run(*SCORE, "--output", path)
        assert result.exit_code == 2
        assert problem in result.output
        assert "Traceback" not in result.output
    assert not scored
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, link = tmp_path / "scores.json", tmp_path / "link.json"
    path.write_text("before")
    path.chmod(0o640)
    link.symlink_to(path)
    assert run(*SCORE, "--format", "json", "--output", link).exit_code == 0
    assert json.loads(path.read_text())[0]["architecture"] == CELL
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert link.is_symlink()

    def full(self: Path, *args: object, **options: object) -> int:
        raise OSError(28, "No space left on device")

    path.write_text("before")
    monkeypatch.setattr(Path, "write_text", full)
    result = run(*SCORE, "--format", "json", "--output", path)
    monkeypatch.undo()
    assert result.exit_code == 2
    assert f"can't write {path}: No space left on device" in result.stderr
    assert json.loads(result.stdout)[0]["architecture"] == CELL  # not lost
    assert path.read_text() == "before"
    assert sorted(tmp_path.iterdir()) == [link, path]


def test_scores_do_not_replace_the_list_that_they_are_of(
    tmp_path: Path, scored: list[object]
) -> None:
    path = tmp_path / "cells.txt"
    path.write_text(CELL)
    result = run(*SCORE[:-2], "--arch-file", path, "--output", path)
    assert result.exit_code == 2
    assert "would overwrite the file of --arch-file" in " ".join(result.stderr.split())
    assert path.read_text() == CELL and not scored


def test_devices_and_pipes_are_written_to() -> None:
    assert run(*SCORE, "--output", os.devnull).exit_code == 0
    assert not Path(os.devnull).is_file()
    result = run(*SCORE, "--output", "/dev/full")
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert CELL in result.stdout


def test_new_files_have_the_usual_permissions(tmp_path: Path) -> None:
    output.write(tmp_path / "written", "text")
    (tmp_path / "usual").write_text("text")
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
    assert modes["written"] == modes["usual"]


def test_ctrl_c_before_the_first_score_leaves_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(self: swap.Scorer, model: object) -> swap.SwapScore:
        raise KeyboardInterrupt

    monkeypatch.setattr(swap.Scorer, "__call__", impatient)
    path = tmp_path / "scores.csv"
    path.write_text("of an hour ago")
    result = run(*SCORE, "--format", "csv", "--output", path)
    assert result.exit_code == 130
    assert path.read_text() == "of an hour ago"
    assert list(tmp_path.iterdir()) == [path]


def test_pages_of_runs(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    search = ("search", *SCORE[1:-2], "--candidates", 6, "--population", 4, "--workers", 1)
    assert run(*search, "--run", path).exit_code == 0
    for command in ("show", "analyze"):
        result = run(command, path, "--html", tmp_path / "missing" / "page.html")
        assert result.exit_code == 2
        assert "there is no folder" in result.output
        assert run(command, path, "--html", tmp_path / "page.html").exit_code == 0
        assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_cells_that_spreadsheets_would_compute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = swap.spaces.space_class("nasbench201")
    build = space.build

    def build_or_fail(self: Any, architecture: str, **options: Any) -> Any:
        if architecture == CELL:
            raise FormulaError
        return build(self, architecture, **options)

    class FormulaError(ValueError):
        def __str__(self) -> str:
            return "x"

    FormulaError.__name__ = "=HYPERLINK"
    monkeypatch.setattr(space, "build", build_or_fail)
    monkeypatch.setattr(workers.Hands, "get", lambda self, *_: None)  # this process
    monkeypatch.chdir(tmp_path)
    other = CELL.replace("skip_connect", "avg_pool_3x3")
    Path("table.csv").write_text(f"arch;@acc\n{CELL};91,5\n{other};90,5\n")
    found = run(
        "correlate", *SCORE[1:-2], "--table", "table.csv", "--workers", 1, "--mu", 1, "--sigma", 1
    )
    assert found.exit_code == 0, found.output
    rows = list(csv.reader(Path("table-nasbench201.csv").read_text().splitlines()))
    assert rows[0][3] == "'@acc"
    assert [row[-1] for row in rows[1:]] == ["", "'=HYPERLINK: x"]
    assert float(rows[1][3]) == 90.5


@pytest.mark.parametrize("command", ["show", "analyze", "compare"])
def test_a_page_never_takes_the_place_of_its_run_file(command: str, tmp_path: Path) -> None:
    path = run_file(tmp_path / "run.db", [outcome(score) for score in (50.0, 30.0)])
    before = path.read_bytes()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    for page in (path, tmp_path / ".." / tmp_path.name / "run.db", link):
        found = run(command, path, "--html", page)
        assert found.exit_code == 2 and "would overwrite a run file" in found.output
    assert path.read_bytes() == before


TALKATIVE = """
from typing import Literal
from torch import nn
print("importing")
def make():
    print("making")
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
def build(width: Literal[2, 4]):
    print("building")
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU())
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("score", "--model", "talkative:make", "--format", "json"), "making"),
        (("score", "--space", "talkative:build", "--arch", "width=2", "--format", "json"), "build"),
        (("spaces", "talkative:build", "--sample", "2", "--json"), "importing"),
        (
            ("export", "--space", "talkative:build", "--arch", "width=2", "--format", "json"),
            "build",
        ),
    ],
)
def test_what_is_printed_meanwhile_is_no_result(
    arguments: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "talkative.py").write_text(TALKATIVE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "talkative", raising=False)
    found = run(*arguments)
    assert found.exit_code == 0 and json.loads(found.stdout)
    assert "importing" in found.stderr and told in found.stderr
