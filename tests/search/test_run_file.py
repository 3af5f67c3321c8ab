"""Run files: nothing lost, nothing half-changed, and clear errors."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.searches import SMALL, MadeUpWorker, drive, essence, small_scorer, small_space

from swapnas_ext.cli import main
from swapnas_ext.search import (
    Candidate,
    Outcome,
    Progress,
    RunFile,
    RunFileError,
    SearchResult,
    SearchSettings,
    search,
)

SPACE = ["--space", "nasbench201", "--channels", "2", "--cells", "1"]
SETTINGS = {"space": {"name": "nasbench201"}, "search": {"strategy": "random", "seed": 0}}
OUTCOMES = (
    Outcome.of_patterns(12.5, 1.0, neurons=100, saturation=0.5, seconds=0.1),
    Outcome(over="flops", flops=10**12, seconds=0.2),
    Outcome(error='ValueError: it\'s "bad"\n', seconds=0.3),
    Outcome.of_patterns(3.0, flops=5, latency=0.001, ternary=True, saturated=False),
)


def candidate(number: int, outcome: Outcome) -> Candidate:
    return Candidate(number, 0, f"a{number}", f"form {number}", (1, 2), 10 + number, outcome, 1.5)


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "odd name ?#%.db"
    wanted = [candidate(number, outcome) for number, outcome in enumerate(OUTCOMES)]
    settings = {
        "space": {"name": "it's"},
        "search": {"candidates": 4, "strategy": "random", "seed": 0},
    }
    with RunFile.create(path, settings) as run_file:
        run_file.record(wanted[:1])
        run_file.record(wanted[1:])
        with RunFile.read(path) as reader:  # while it is being written
            assert reader.candidates() == wanted
    with RunFile.read(path) as run_file:
        assert run_file.candidates() == wanted
        assert run_file.settings == settings
    with RunFile.resume(path) as run_file:
        run_file.write_about(ended="complete")
        assert run_file.about["ended"] == "complete"


def test_a_record_is_all_or_nothing(tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "run.db", {}) as run_file:
        run_file.record([candidate(0, OUTCOMES[0])])
        twice = [candidate(1, OUTCOMES[0]), candidate(0, OUTCOMES[0])]
        with pytest.raises(RunFileError, match="UNIQUE"):
            run_file.record(twice)
        assert len(run_file.candidates()) == 1


def test_replaying_gives_the_same(tmp_path: Path) -> None:
    made = SearchSettings(candidates=80, seed=1, **SMALL)
    whole = drive(made, run_file=RunFile.create(None, {})).result()
    for recorded in (0, 1, 13, 50, 79):
        with RunFile.create(tmp_path / f"{recorded}.db", {}) as run_file:
            # Whatever was done when it was killed: not just the first ones.
            some = [c for c in whole.candidates if (c.number * 7) % 80 < recorded]
            run_file.record(some)
            worker = MadeUpWorker()
            again = drive(made, [worker], run_file).result()
            assert essence(again.candidates) == essence(whole.candidates)
            assert len(worker.seen) == 80 - len(some)
            assert essence(run_file.candidates()) == essence(whole.candidates)


@pytest.mark.slow
def test_more_candidates_continue_a_finished_run(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    arguments = (small_space(), small_scorer())
    short = search(*arguments, SearchSettings(candidates=25, seed=1, **SMALL), history=path)
    longer = SearchSettings(candidates=40, seed=1, **SMALL)
    found = search(*arguments, longer, history=path)
    assert essence(found.candidates[: len(short.candidates)]) == essence(short.candidates)
    assert essence(found.candidates) == essence(search(*arguments, longer).candidates)
    fewer = SearchSettings(candidates=25, seed=1, **SMALL)
    again = search(*arguments, fewer, history=path)  # what was begun with is not undone
    assert essence(again.candidates) == essence(found.candidates)
    with RunFile.read(path) as run_file:
        assert run_file.settings["search"]["candidates"] == 40


@pytest.mark.slow
@pytest.mark.parametrize("fewer", [45, 3])
@pytest.mark.parametrize("strategy", ["evolution", "random", "optuna"])
def test_fewer_candidates_end_an_interrupted_run_sooner(
    tmp_path: Path, strategy: str, fewer: int
) -> None:
    path = tmp_path / "run.db"
    arguments = (small_space(), small_scorer())
    settings = SearchSettings(candidates=70, strategy=strategy, seed=1, **SMALL)

    def impatient(progress: Progress) -> None:
        if progress.done >= 20:
            raise KeyboardInterrupt

    interrupted = search(*arguments, settings, history=path, on_progress=impatient)
    assert interrupted.interrupted
    with RunFile.read(path) as run_file:  # says what the search said
        assert essence(run_file.candidates()) == essence(interrupted.candidates)
        begun = max(candidate.number for candidate in run_file.candidates()) + 1
    found = search(*arguments, replace(settings, candidates=fewer), history=path)
    assert len(found.candidates) == max(fewer, begun)
    whole = search(*arguments, settings)
    assert essence(found.candidates) == essence(whole.candidates[: len(found.candidates)])
    with RunFile.read(path) as run_file:
        assert essence(run_file.candidates()) == essence(found.candidates)
        assert run_file.settings["search"]["candidates"] == len(found.candidates)


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_are_texts_or_paths(tmp_path: Path, kind: type) -> None:
    path = kind(tmp_path / "run.db")
    with RunFile.create(path, SETTINGS) as run_file:
        run_file.record([candidate(0, OUTCOMES[0])])
    for opened in (RunFile.read, RunFile.resume):
        with opened(path) as run_file:
            assert SearchResult.of(run_file).best.candidate == candidate(0, OUTCOMES[0])


@pytest.mark.parametrize(
    ("space", "scorer", "settings", "problem"),
    [
        ({"cells": 2}, {}, {}, "made with cells=1, not 2"),
        ({}, {"seed": 1}, {}, "made with seed=0, not 1"),
        ({}, {"repeats": 2}, {}, "made with repeats=1, not 2"),
        ({}, {}, {"seed": 4}, "made with seed=0, not 4"),
        ({}, {}, {"strategy": "ageing"}, "made with strategy=evolution, not ageing"),
        ({}, {}, {"mu": 1.0, "sigma": 2.0}, "made with mu=None, not 1.0"),
    ],
)
def test_other_settings_are_refused(
    tmp_path: Path,
    space: dict[str, Any],
    scorer: dict[str, Any],
    settings: dict[str, Any],
    problem: str,
) -> None:
    path = tmp_path / "run.db"
    made = SearchSettings(candidates=6, **SMALL)
    search(small_space(), small_scorer(), made, history=path)
    before = path.read_bytes()
    other = type(small_space())(**{"channels": 2, "cells": 1, **space})
    with pytest.raises(ValueError, match=problem):
        search(other, small_scorer(**scorer), replace(made, **settings), history=path)
    assert path.read_bytes() == before


def test_a_run_that_another_version_made_is_refused(tmp_path: Path) -> None:
    made = SearchSettings(candidates=30, seed=1, **SMALL)
    with RunFile.create(tmp_path / "run.db", {}) as run_file:
        run_file.record([replace(candidate(3, OUTCOMES[0]), form=_first_form(made))])
        with pytest.raises(RunFileError, match="can't be continued: candidate 3 is now"):
            drive(made, run_file=run_file)


def _first_form(made: SearchSettings) -> str:
    return drive(made).result().candidates[0].form


def _make(path: Path) -> Path:
    search(small_space(), small_scorer(), SearchSettings(candidates=6, **SMALL), history=path)
    return path


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no run file"):
        RunFile.read(tmp_path / "none.db")
    text = tmp_path / "text.db"
    text.write_text("this is no database, but it is long enough to look like something" * 20)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE candidate (x)")
    connection.close()
    for path in (text, other):
        before = path.read_bytes()
        for opened in (RunFile.read, RunFile.resume):
            with pytest.raises(RunFileError, match="not a run file"):
                opened(path)
        with pytest.raises(RunFileError, match="not a run file"):
            _make(path)
        assert path.read_bytes() == before
    path = _make(tmp_path / "run.db")
    with pytest.raises(RunFileError, match="exists: continue it"):
        RunFile.create(path, {})
    with pytest.raises(RunFileError, match="there is no folder"):
        RunFile.create(tmp_path / "none" / "run.db", {})


def test_an_empty_file_is_as_good_as_none(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    path.touch()
    _make(path)
    assert len(SearchResult.of(RunFile.read(path)).candidates) == 6


def test_another_format(tmp_path: Path) -> None:
    path = _make(tmp_path / "run.db")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for opened in (RunFile.read, RunFile.resume):
        with pytest.raises(RunFileError, match="has format 99, made by another version"):
            opened(path)


@pytest.mark.parametrize("kept", [10, 512, 4096, 8000])
def test_a_file_cut_short(tmp_path: Path, kept: int) -> None:
    path = _make(tmp_path / "run.db")
    path.write_bytes(path.read_bytes()[:kept])
    for opened in (RunFile.read, RunFile.resume):
        with pytest.raises(RunFileError):
            opened(path)


@pytest.mark.slow
def test_rows_that_are_none(tmp_path: Path) -> None:
    for change in (
        "UPDATE about SET value = '[]' WHERE name = 'settings'",
        "UPDATE about SET value = '{}' WHERE name = 'settings'",
        "UPDATE about SET value = '{' WHERE name = 'settings'",
        "DELETE FROM about",
        "UPDATE candidate SET architecture = X'00' WHERE number = 2",
        """UPDATE candidate SET details = '{"patterns": 0}' WHERE number = 2""",
        "UPDATE candidate SET details = '[]' WHERE number = 2",
        "UPDATE candidate SET details = 'x' WHERE number = 2",
        "UPDATE candidate SET score = 'abc' WHERE number = 2",
        "UPDATE candidate SET log_score = NULL WHERE number = 0",
        "UPDATE candidate SET parents = 'x' WHERE number = 2",
        "UPDATE candidate SET parameters = X'0102' WHERE number = 2",
    ):
        path = tmp_path / "run.db"
        path.unlink(missing_ok=True)
        _make(path)
        with sqlite3.connect(path) as connection:
            connection.execute(change)
        connection.close()
        with pytest.raises(RunFileError, match="is damaged"), RunFile.read(path) as run_file:
            SearchResult.of(run_file)


def test_a_link_to_a_run_is_that_run(tmp_path: Path) -> None:
    path = _make(tmp_path / "run.db")
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with RunFile.resume(path), pytest.raises(RunFileError, match="another search is writing"):
        RunFile.resume(link)
    with RunFile.read(link) as run_file:
        assert len(run_file.candidates()) == 6


def test_a_run_file_that_is_removed_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with RunFile.create(path, {"search": {}}) as run_file:
        run_file.record([candidate(0, OUTCOMES[0])])
        path.unlink()
        with pytest.raises(RunFileError, match="was removed or replaced"):
            run_file.record([candidate(1, OUTCOMES[0])])


@pytest.mark.slow
def test_a_run_that_fails_at_once_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    made = SearchSettings(candidates=6, max_params=10, **SMALL)
    with pytest.raises(ValueError, match="at most 10 parameters"):
        search(small_space(), small_scorer(), made, history=path)
    with pytest.raises((RuntimeError, AssertionError)):
        search(small_space(), small_scorer(), made, history=path, device="nowhere")
    assert [file.name for file in tmp_path.iterdir()] in ([], ["run.db.lock"])


@pytest.mark.slow
def test_a_family_does_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    family = {"target_params": (2000.0, 3500.0), "calibration": 10, **SMALL}
    arguments = (small_space(), small_scorer())
    first = search(*arguments, SearchSettings(candidates=40, **family), history=path)
    with pytest.raises(ValueError, match="made with candidates=40, not 60"):
        search(*arguments, SearchSettings(candidates=60, **family), history=path)
    again = search(*arguments, SearchSettings(candidates=40, **family), history=path)
    assert essence(again.candidates) == essence(first.candidates)
    one = {**family, "target_params": (2000.0,)}
    path = tmp_path / "one.db"
    search(*arguments, SearchSettings(candidates=30, **one), history=path)
    longer = SearchSettings(candidates=45, **one)
    grown = search(*arguments, longer, history=path)
    assert essence(grown.candidates) == essence(search(*arguments, longer).candidates)
    path = tmp_path / "short.db"
    search(*arguments, SearchSettings(candidates=8, **one), history=path)
    with pytest.raises(ValueError, match="made with candidates=8, not 30"):
        search(*arguments, SearchSettings(candidates=30, **one), history=path)


def test_scribbled_over(tmp_path: Path) -> None:
    path = _make(tmp_path / "run.db")
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(RunFileError):
        RunFile.read(path).candidates()


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    made = SearchSettings(candidates=200, seed=1, **SMALL)
    with RunFile.create(path, {"search": {}}) as run_file:
        (pages,) = run_file._connection.execute("PRAGMA page_count").fetchone()
        run_file._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(RunFileError, match="full; what is recorded is safe: make room"):
            drive(made, run_file=run_file)
        before = len(run_file.candidates())
        assert 0 < before < 200
    with RunFile.resume(path) as run_file:
        worker = MadeUpWorker()
        found = drive(made, [worker], run_file).result()
        assert len(worker.seen) == 200 - before
    assert essence(found.candidates) == essence(drive(made).result().candidates)


@pytest.mark.slow
@pytest.mark.parametrize("room", [100, 5000, 20_000])
def test_a_full_disk_at_the_start(tmp_path: Path, room: int) -> None:
    """A limit on the size of files, which SQLite takes for a full disk."""
    arguments = ["search", *SPACE, "--candidates", "4", "--workers", "1", "--run", "run.db"]
    script = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
from swapnas_ext.cli import main
main({arguments!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"Error: {tmp_path}/run.db: disk I/O error; nothing is recorded yet: make room, or choose another place"
    )
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run.db.lock"]


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT * FROM n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        f"DROP TABLE candidate; CREATE VIEW candidate AS {ENDLESS};",
        f"ALTER TABLE about RENAME TO old; CREATE VIEW about AS {ENDLESS};",
        f"CREATE VIEW more AS {ENDLESS};",
        "CREATE TRIGGER more AFTER INSERT ON candidate BEGIN DELETE FROM about; END;",
        "DROP TABLE candidate; CREATE VIRTUAL TABLE candidate USING fts5(number);",
        "ALTER TABLE candidate ADD COLUMN more AS (zeroblob(1000000000));",
        "DROP TABLE candidate;",
    ],
)
def test_files_with_more_than_tables_are_refused(tmp_path: Path, script: str) -> None:
    path = _make(tmp_path / "run.db")
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()
    for opened in (RunFile.read, RunFile.resume):
        with pytest.raises(
            RunFileError, match=r"run\.db is damaged, or no run file: expected the t"
        ):
            opened(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 200 + "]" * 200, '{"a":' * 100_000, "x"])
def test_deep_json(tmp_path: Path, text: str) -> None:
    path = _make(tmp_path / "run.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE candidate SET parents = ? WHERE number = 2", [text])
    with RunFile.read(path) as run_file, pytest.raises(RunFileError, match=r"run\.db is damaged"):
        run_file.candidates()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE about SET value = ? WHERE name = 'settings'", [text])
    connection.close()
    with RunFile.read(path) as run_file, pytest.raises(RunFileError, match=r"run\.db is damaged"):
        print(run_file.about)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in ("score", "log_score") for value in (float("-inf"), "x", b"x")],
        *[("spread", value) for value in ("x", float("inf"))],
        *[
            ("details", f'{{"{name}": {value}}}')
            for name in ("patterns", "patterns_std", "saturation")
            for value in ("Infinity", 'null, "patterns": -1.0', '"x"')
        ],
        *[("latency", value) for value in ("x", float("-inf"))],
        *[("seconds", value) for value in ("x", float("inf"))],
        *[
            ("error", b"x"),
            ("over", 1),
            ("flops", "x"),
            ("ternary", "x"),
            ("finished", "x"),
            ("parameters", 2.5),
        ],
    ],
)
def test_values_that_can_not_be(tmp_path: Path, name: str, value: object) -> None:
    path = _make(tmp_path / "run.db")
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE candidate SET {name} = ? WHERE number = 1", [value])
    connection.close()
    with RunFile.read(path) as run_file, pytest.raises(RunFileError, match=r"run\.db is damaged"):
        run_file.candidates()


@pytest.mark.parametrize(
    "change",
    [
        "json_remove(value, '$.search.strategy')",
        "json_remove(value, '$.space.name')",
        "json_set(value, '$.search.candidates', 'x')",
        "json_set(value, '$.search.target_params', 5)",
        "json_set(value, '$.search.max_latency', 'x')",
        "json_set(value, '$.search.seed', 'x')",
        "json_set(value, '$.search', 5)",
        "'5'",
    ],
)
def test_settings_that_can_not_be(tmp_path: Path, change: str) -> None:
    path = _make(tmp_path / "run.db")
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE about SET value = {change} WHERE name = 'settings'")
    connection.close()
    for command in (["show"], ["show", "--json"], ["analyze"], ["search", "--resume"]):
        result = CliRunner().invoke(main, [*command, str(path)])
        assert result.exit_code == 2
        assert f"Error: {path} is damaged: " in result.output


@pytest.mark.parametrize("controls", ["[1, 2]", "[[1]]", "5", '[["x", 1]]'])
def test_controls_that_can_not_be(tmp_path: Path, controls: str) -> None:
    path = _make(tmp_path / "run.db")
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT OR REPLACE INTO about VALUES ('controls', ?)", [controls])
    connection.close()
    with RunFile.read(path) as run_file, pytest.raises(RunFileError, match="its controls are"):
        SearchResult.of(run_file)


def test_what_is_no_file_stays(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(RunFileError, match="what is there is no file"):
            RunFile.create(path, SETTINGS)
    assert sorted(tmp_path.iterdir()) == [link, pipe]
    empty = tmp_path / "empty"
    empty.touch()
    run_file = RunFile.create(empty, SETTINGS)
    run_file.close(discard=True)
    assert empty.read_bytes() == b""


def test_reading_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    path = _make(tmp_path / "run.db")
    before = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    with RunFile.read(path) as run_file:
        assert len(run_file.candidates()) == 6
        assert run_file.about
    assert {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
    assert before.keys() == {"run.db", "run.db.lock"}


def test_what_a_search_writes_meanwhile_is_read(tmp_path: Path) -> None:
    path = _make(tmp_path / "run.db")
    with RunFile.resume(path) as writing:
        writing.record([candidate(100, OUTCOMES[0])])
        with RunFile.read(path) as run_file:
            assert run_file.candidates()[-1].number == 100


def test_a_file_that_can_only_be_read(tmp_path: Path) -> None:
    with RunFile.read(_make(tmp_path / "run.db")) as run_file:
        with pytest.raises(RunFileError, match="readonly database; a search has to write to it"):
            run_file.record([candidate(100, OUTCOMES[0])])
        assert len(run_file.candidates()) == 6


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_files_that_can_not_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = _make(folder / "run.db")
    path.chmod(stat.S_IRUSR)
    with pytest.raises(RunFileError, match="readonly database; a search has to write to it"):
        _make(path)
    (folder / "run.db.lock").unlink()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(RunFileError, match="can't write beside"):
            _make(path)
        with pytest.raises(RunFileError, match="can't"):
            _make(folder / "new.db")
        with RunFile.read(path) as run_file:
            assert len(run_file.candidates()) == 6
    finally:
        folder.chmod(stat.S_IRWXU)


@pytest.mark.slow
def test_two_searches_on_one_file(tmp_path: Path) -> None:
    path = _make(tmp_path / "run.db")
    with RunFile.resume(path):
        with pytest.raises(RunFileError, match="another search is writing to"):
            _make(path)
        with RunFile.read(path) as reader:
            assert len(reader.candidates()) == 6
    with multiprocessing.get_context("spawn").Pool(1) as pool, RunFile.resume(path):
        told = pool.apply(_resume_elsewhere, (path,))
    assert "another search is writing to" in told
    RunFile.resume(path).close()


def _resume_elsewhere(path: Path) -> str:
    try:
        RunFile.resume(path)
    except RunFileError as error:
        return str(error)
    return "resumed"


# ---- kill -9 ---------------------------------------------------------------------------------------

COMMAND = (
    *(sys.executable, "-m", "swapnas_ext.cli", "search", "--space", "nasbench201"),
    *("--channels", "2", "--cells", "1", "--samples", "8", "--candidates", "150"),
)


def _children(process: subprocess.Popen[bytes]) -> list[int]:
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(word) for word in text.split()]


def _recorded(path: Path) -> int:
    try:
        with RunFile.read(path) as run_file:
            return len(run_file.candidates())
    except (OSError, RunFileError):  # it is not there yet
        return 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes in /proc")
def test_killed_and_resumed_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    path = tmp_path / "killed.db"
    process = subprocess.Popen(
        [*COMMAND, "--workers", "1", "--run", path], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while _recorded(path) < 30 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = _children(process)
    assert workers
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    recorded = _recorded(path)
    assert 30 <= recorded < 150, "it was to be killed on its way"

    resume = [sys.executable, "-m", "swapnas_ext.cli", "search", "--resume", path]
    subprocess.run([*resume, "--workers", "2"], check=True, capture_output=True)
    whole = tmp_path / "whole.db"
    subprocess.run([*COMMAND, "--workers", "1", "--run", whole], check=True, capture_output=True)
    with RunFile.read(path) as killed, RunFile.read(whole) as expected:
        assert essence(killed.candidates()) == essence(expected.candidates())
        assert len(killed.candidates()) == 150
    for worker in workers:  # none outlives the search
        assert not _alive(worker)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
