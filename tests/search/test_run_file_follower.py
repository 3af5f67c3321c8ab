"""Following a run file: only what is new, in the order in which it was finished."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from swapnas_ext.search import Candidate, Outcome, RunFile, RunFileError, RunFileFollower
from swapnas_ext.search import run_file as run_file_module

SETTINGS = {
    "space": {"name": "nasbench201"},
    "search": {"strategy": "random", "seed": 0, "candidates": 9},
}


def candidate(number: int, finished: float) -> Candidate:
    outcome = Outcome.of_patterns(10.0 + number, seconds=0.1)
    return Candidate(number, 0, f"a{number}", f"form {number}", (), 100, outcome, finished)


def numbers(follower: RunFileFollower) -> list[int]:
    news = follower.look()
    assert news is not None
    return [one.number for one in news.candidates]


def test_each_candidate_is_read_once_as_it_was_finished(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    follower = RunFileFollower(path)
    assert follower.look() is None
    with RunFile.create(path, SETTINGS) as run_file:
        assert numbers(follower) == []
        run_file.record([candidate(0, 2.0), candidate(3, 1.0)])
        assert numbers(follower) == [3, 0]
        assert numbers(follower) == []
        run_file.record([candidate(1, 3.0)])
        run_file.record([candidate(6, 4.0), candidate(5, 4.0)])
        assert numbers(follower) == [1, 5, 6]
        run_file.record([candidate(2, 6.0), candidate(4, 5.0)])
        assert numbers(follower) == [4, 2]
    assert numbers(follower) == []


def test_an_unchanged_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.db"
    with RunFile.create(path, SETTINGS) as run_file:
        run_file.record([candidate(0, 1.0)])
        follower = RunFileFollower(path)
        assert numbers(follower) == [0]
        monkeypatch.setattr(run_file_module.access, "connect", None)
        assert numbers(follower) == []


def test_whether_a_search_writes(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    follower = RunFileFollower(path)

    def is_written() -> bool | None:
        news = follower.look()
        assert news is not None
        return news.is_written

    with RunFile.create(path, SETTINGS):
        assert is_written() is True
    assert is_written() is False
    with RunFile.resume(path):
        assert is_written() is True
    (tmp_path / "run.db.lock").unlink()
    assert is_written() is False


def test_another_run_in_the_place_of_the_file(tmp_path: Path) -> None:
    path, other = tmp_path / "run.db", tmp_path / "other.db"
    for made, count in ((path, 3), (other, 2)):
        with RunFile.create(made, SETTINGS) as run_file:
            run_file.record([candidate(number, 1.0 + number) for number in range(count)])
    follower = RunFileFollower(path)
    first = follower.look()
    assert first is not None and first.is_other and len(first.candidates) == 3
    other.replace(path)
    second = follower.look()
    assert second is not None and second.is_other and len(second.candidates) == 2
    third = follower.look()
    assert third is not None and not third.is_other
    path.unlink()
    assert follower.look() is None


def test_another_run_with_the_same_inode(tmp_path: Path) -> None:
    """As a file system gives that is reused."""
    path, other = tmp_path / "run.db", tmp_path / "other.db"
    for made, count in ((path, 3), (other, 2)):
        with RunFile.create(made, SETTINGS) as run_file:
            run_file.record([candidate(number, 1.0 + number) for number in range(count)])
    follower = RunFileFollower(path)
    assert numbers(follower) == [0, 1, 2]
    inode = path.stat().st_ino
    path.write_bytes(other.read_bytes())
    assert path.stat().st_ino == inode
    assert numbers(follower) == [0, 1]


def test_what_is_no_run_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("buy milk, and a great many other things " * 100)
    follower = RunFileFollower(path)
    assert follower.look() is None  # a search may just be making it
    with pytest.raises(RunFileError, match=r"notes\.txt.*not a run file"):
        follower.look()


def test_a_search_that_ends_while_it_is_read_leaves_all_in_the_file(tmp_path: Path) -> None:
    """Also where SQLite leaves its log because another has the file open."""
    path, copy = tmp_path / "run.db", tmp_path / "copy.db"
    with RunFile.create(path, SETTINGS) as run_file:
        run_file.record([candidate(0, 1.0)])
        reader = sqlite3.connect(path)
        reader.execute("SELECT count(*) FROM candidate").fetchone()
        run_file.record([candidate(1, 2.0)])
    shutil.copy(path, copy)
    reader.close()
    with RunFile.read(copy) as run_file:
        assert [one.number for one in run_file.candidates()] == [0, 1]


def test_ranges_of_numbers(tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "run.db", SETTINGS) as run_file:
        wanted = [candidate(number, 10.0 - number) for number in range(8)]
        run_file.record(wanted)
        found = run_file.finished_in([(0, 1), (4, 4), (7, 99)])
        assert found == [wanted[7], wanted[4], wanted[1], wanted[0]]
        assert run_file.finished_in([]) == []


def test_damaged_rows_are_told(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with RunFile.create(path, SETTINGS) as run_file:
        run_file.record([replace(candidate(0, 1.0), architecture="a")])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE candidate SET parents = '{'")
    connection.close()
    follower = RunFileFollower(path)
    assert follower.look() is None
    with pytest.raises(RunFileError, match="damaged"):
        follower.look()
