"""For how long a search ran: sessions in run files, and times without them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from support.run_files import candidates, outcome, run_file, write_sessions
from support.searches import SMALL, essence, small_scorer, small_space

from swapnas_ext.search import Progress, RunFile, RunFileError, SearchResult, SearchSettings, search
from swapnas_ext.search.sessions import RunningTime

MADE = SearchSettings(candidates=24, seed=1, **SMALL)


def interrupt(progress: Progress) -> None:
    if progress.done >= 14:
        raise KeyboardInterrupt


@pytest.mark.slow
def test_a_resumed_search_has_two_sessions_and_the_same_result(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    arguments = (small_space(), small_scorer(), MADE)
    found = search(*arguments, history=path, on_progress=interrupt)
    assert len(found.sessions) == 1
    with RunFile.read(path) as reader:
        ((start, end),) = reader.sessions
    assert end is not None and start <= end
    again = search(*arguments, history=path)
    with RunFile.read(path) as reader:
        first, second = reader.sessions
        recorded = reader.candidates()
    assert first == (start, end)
    assert second[1] is not None and end <= second[0] <= second[1]
    assert essence(again.candidates) == essence(search(*arguments).candidates)
    time = RunningTime(recorded, (first, second))
    assert time.total == pytest.approx(end - start + second[1] - second[0])
    assert time.sessions == 2


def test_a_file_that_is_only_read_or_refused_gets_no_session(tmp_path: Path) -> None:
    path = run_file(tmp_path / "run.db", [outcome(1.0)])
    before = path.read_bytes()
    RunFile.read(path).close()
    RunFile.resume(path).close()
    assert path.read_bytes() == before


def test_a_file_of_an_earlier_version_gets_the_session_that_continues_it(tmp_path: Path) -> None:
    path = run_file(tmp_path / "run.db", [outcome(1.0)] * 3, sessions=None)
    with RunFile.read(path) as reader:
        assert reader.sessions == ()
    with RunFile.resume(path) as again:
        again.write_about(ended="")
    with RunFile.read(path) as reader:
        ((start, end),) = reader.sessions
    assert end is not None and start > 1_700_000_000


def _killed(path: Path) -> None:
    made = RunFile.create(
        path, {"space": {"name": "x"}, "search": {"strategy": "random", "seed": 0}}
    )
    made.record(candidates([outcome(1.0), outcome(2.0)]))
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_search_leaves_its_session_open(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(path,))
    process.start()
    process.join()
    with RunFile.read(path) as reader:
        ((_, end),) = reader.sessions
        assert len(reader.candidates()) == 2
    assert end is None


def test_pauses_between_sessions_do_not_count() -> None:
    early = candidates([outcome(1.0)] * 5, start=1000)  # finished 1001 to 1005
    late = candidates([outcome(1.0)] * 5, start=9000)
    time = RunningTime([*early, *late], [(9000, 9007), (1000, 1006)])
    assert time.total == 13
    assert [time.until(at) for at in (0, 1000, 1002, 1006, 5000, 9003, 9007, 10_000)] == [
        *(0, 0, 2, 6, 6, 9, 13, 13)
    ]


def test_an_open_session_ends_with_its_last_candidate() -> None:
    early = candidates([outcome(1.0)] * 5, start=1000)
    late = candidates([outcome(1.0)] * 2, start=9000)
    assert RunningTime([*early, *late], [(1000, None), (9000, None)]).total == 5 + 2
    assert RunningTime(early, [(1000, None), (9000, None)]).total == 5
    assert RunningTime([], [(1000, None)]).total == 0


def test_without_sessions_long_times_without_work_are_pauses() -> None:
    early = candidates([outcome(1.0)] * 5, start=1000)
    late = candidates([outcome(1.0)] * 5, start=9000)
    time = RunningTime([*early, *late])
    assert time.total == 4.5 + 4.5  # the work of half a second on the first of each counts
    slow = candidates([outcome(1.0, seconds=900.0)] * 2, start=20_000)
    assert RunningTime([*late, *slow]).total == 4.5 + 900 + 1
    short = candidates([outcome(1.0)], start=1050)
    assert RunningTime([*early, *short]).total == 1051 - 1001 + 0.5
    assert RunningTime([]).total == 0 and RunningTime([]).sessions == 0


def test_what_an_earlier_version_did_before_counts_too() -> None:
    early = candidates([outcome(1.0)] * 5, start=1000)
    late = candidates([outcome(1.0)] * 5, start=9000)
    time = RunningTime([*early, *late], [(8990, 9010)])
    assert time.total == 4.5 + 20
    assert time.until(9000) == 4.5 + 10


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    rows = candidates([outcome(1.0)] * 3, start=1000)
    assert RunningTime(rows, [(1010, 1002)]).total >= 0
    assert RunningTime(rows, [(1000, 1100), (1050, 1060)]).total == 60


@pytest.mark.parametrize(
    "sessions",
    [
        *(5, {}, "1", [5], [[1]], [[1, 2, 3]], [["1", 2]], [[None, 1]], [[True, 2]], [[1, False]]),
        *([[-1, 2]], [[1, 1e300]], [[10**400, None]], [[float("nan"), 1]], [[float("inf"), None]]),
    ],
)
def test_damaged_sessions_are_told(tmp_path: Path, sessions: object) -> None:
    path = run_file(tmp_path / "run.db", [outcome(1.0)])
    write_sessions(path, sessions)
    with RunFile.read(path) as reader, pytest.raises(RunFileError, match="damaged"):
        reader.about  # noqa: B018
    with RunFile.read(path) as reader, pytest.raises(RunFileError, match="damaged"):
        SearchResult.of(reader)
    with RunFile.resume(path) as again:
        again.record(candidates([outcome(1.0)] * 2)[1:])


def test_sessions_stay_out_of_json_and_equality(tmp_path: Path) -> None:
    path = run_file(tmp_path / "run.db", [outcome(1.0)])
    with RunFile.read(path) as reader:
        found = SearchResult.of(reader)
    assert found.sessions == ((1000.0, 1020.0),)
    copy = SearchResult.from_json(found.to_json())
    assert copy == found and copy.sessions == ()
