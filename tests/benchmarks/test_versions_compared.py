"""``make bench-compare`` and ``make bench-release`` with made-up versions: turns, statistics and what is printed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def benchmarks_on_the_path() -> Iterator[None]:
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


class MadeUp:
    """A version whose rows take made-up times. It notes what it is asked in a log that versions share."""

    def __init__(self, name: str, log: list[str], seconds: float = 0.001, **rows: Any) -> None:
        self._name, self._log, self._seconds, self._rows = name, log, seconds, rows

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        if do == "prepare":
            self._log.append(f"{self._name} prepares {arguments['row']}")
            if arguments["row"] not in self._rows:
                return {"skipped": "AttributeError: no such thing"}
            return {"result": self._rows[arguments["row"]], "yardstick": "a yardstick"}
        self._log.append(f"{self._name} {arguments['what']} x{arguments['calls']}")
        return {"seconds": self._seconds}


def session_of(*versions: MadeUp, rows: list[str], of_row: Any = None) -> dict[str, Any]:
    import versions_session

    @contextmanager
    def start() -> Iterator[list[MadeUp]]:
        yield list(versions)

    return versions_session.session(start, rows, 1e-9, of_row or versions_session.compare_row)


# ---- turns ---------------------------------------------------------------------------------------


def test_versions_take_turns_and_begin_in_turns() -> None:
    import versions_session

    log: list[str] = []
    old, new = MadeUp("old", log, 0.004, a=1), MadeUp("new", log, 0.002, a=1)
    measured = versions_session.Measured()
    versions_session.compare_row("a", [old, new], 1e-9, measured)
    assert log == [
        *("old prepares a", "new prepares a", "old ours x1", "new ours x1"),
        *("old ours x3", "new ours x5"),  # at least 10 ms each
        *("new ours x5", "old ours x3"),
        *("old ours x3", "new ours x5"),
    ]
    assert measured.launches == [[(0.004, 0.002)] * 3]


def test_rows_go_on_until_their_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    import versions_session

    now = 0.0

    def clock(calls: int) -> float:
        nonlocal now
        now += 0.5
        return 0.5

    monkeypatch.setattr("versions_session.time.perf_counter", lambda: now)
    assert len(versions_session.rounds_in_turns((clock, clock), 10.0)) == 9  # and a call of each


def test_each_launch_begins_with_other_rows_and_all_have_all() -> None:
    log: list[str] = []
    rows = ["a", "b", "c"]
    version = {"a": 1, "b": 2, "c": 3}
    found = session_of(MadeUp("old", log, **version), MadeUp("new", log, **version), rows=rows)
    order = [line.split()[-1] for line in log if line.startswith("old prepares")]
    assert order == list("abc" + "abc" + "bca" + "bca" + "cab" + "cab")
    assert all(len(each.launches) == 6 for each in found.values())
    assert found["b"].results == [2, 2]


def test_a_row_that_a_version_lacks_is_skipped_once() -> None:
    log: list[str] = []
    found = session_of(MadeUp("old", log, a=1), MadeUp("new", log, a=1, b=2), rows=["a", "b"])
    assert found["b"].skipped == "AttributeError: no such thing"
    assert not found["b"].launches
    assert log.count("old prepares b") == 1
    assert len(found["a"].launches) == 6


def test_a_yardstick_takes_turns_with_one_version() -> None:
    import versions_session

    log: list[str] = []
    found = session_of(MadeUp("v", log, a=7), rows=["a"], of_row=versions_session.measure_row)
    assert log[:5] == [
        "v prepares a",
        "v yardstick x1",
        "v ours x1",
        "v yardstick x10",
        "v ours x10",
    ]
    assert found["a"].yardstick == "a yardstick"


# ---- a real process ------------------------------------------------------------------------------


WORKER = """
import json, sys
print(json.dumps({"file": sys.argv[0]}), flush=True)
for line in sys.stdin:
    task = json.loads(line)
    if task["do"] == "die":
        sys.exit("out of luck")
    print(json.dumps({"got": task}), flush=True)
"""


def test_a_process_answers_and_its_death_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import versions_session

    (tmp_path / "versions_worker.py").write_text(WORKER)
    monkeypatch.setattr(versions_session, "__file__", str(tmp_path / "versions_session.py"))
    with versions_session.running([tmp_path, tmp_path], 1) as (first, second):
        assert second.ask("time", calls=3) == {"got": {"do": "time", "calls": 3}}
        with pytest.raises(versions_session.WorkerError, match=r"ended with 1:\nout of luck"):
            first.ask("die")
    other = tmp_path / "other"
    other.mkdir()
    with (
        pytest.raises(versions_session.WorkerError, match="instead of the package in"),
        versions_session.running([other], 1),
    ):
        pass


# ---- statistics ----------------------------------------------------------------------------------


def launches_of(speed: float, rng: random.Random, process: float = 0.01) -> list[Any]:
    """Six launches of a version that is ``speed`` times as fast. The difference of two processes lasts a launch."""
    found = []
    for _ in range(6):
        lasting = rng.gauss(0, process)
        rounds = []
        for _ in range(200):
            machine = rng.uniform(1, 3)  # what disturbs both
            noise = rng.gauss(0, 0.05)
            rounds.append((machine, machine * (1 + noise + lasting) / speed))
        found.append(rounds)
    return found


def test_a_difference_of_two_processes_is_no_difference_of_versions() -> None:
    from versions_statistics import moved, ratios

    rng = random.Random(0)
    called = 0
    for _ in range(60):
        rows = {f"row {number}": launches_of(1.0, rng) for number in range(4)}
        called += bool(moved(ratios(rows)))
    assert called <= 7  # of 60 sessions, 3 on average: 8 or more have a probability below 0.02


def test_faster_and_slower_rows_are_found_among_others() -> None:
    from versions_statistics import Ratio, geometric_mean, moved, ratios

    rng = random.Random(4)
    rows = {f"row {number}": launches_of(1.0, rng) for number in range(8)}
    rows |= {"faster": launches_of(1.1, rng), "slower": launches_of(0.9, rng)}
    found = ratios(rows)
    assert moved(found) == ["slower", "faster"]
    assert found["faster"].low < 1.1 < found["faster"].high
    assert found["slower"].high < 1
    assert moved({**found, "sure": Ratio(1.5, 1.4, 1.6, 0.02)}) == [
        "slower",
        "faster",
    ]  # 0.02 of ten rows is not rare
    mean = geometric_mean({"faster": rows["faster"], "slower": rows["slower"]})
    assert mean.value == pytest.approx((1.1 * 0.9) ** 0.5, rel=0.02)


def test_ratios_of_launches_without_noise() -> None:
    from versions_statistics import Ratio, moved, ratio, ratios

    same, twice = [[(1.0, 1.0)]] * 3, [[(1.0, 0.5)]] * 3
    found = ratios({"same": same, "twice": twice})
    assert found["same"] == Ratio(1, 1, 1, 1)
    assert found["twice"].value == pytest.approx(2)
    assert moved(found) == ["twice"]
    assert moved({}) == []
    with pytest.raises(ValueError, match="two launches at least, got 1"):
        ratio([0.1])


# ---- what is printed, and builds -----------------------------------------------------------------


def test_the_report_tells_moved_rows_other_results_and_skipped_ones() -> None:
    from compare_versions import report, text_of
    from versions_builds import Build
    from versions_session import Measured

    rng = random.Random(2)
    old = Build("abc1234", "abc1234def", "2026-11-20", Path())
    found = {
        "count": Measured(launches_of(1.5, rng), [65_000, 65_001]),
        "score": Measured(launches_of(1.0, rng), [[1, 2], [1, 2]]),
        "search": Measured(skipped="AttributeError: no search"),
    }
    said = report(old, found, threads=1, seconds=3.0)
    text = text_of(old, said)
    assert said["moved"] == ["count"]
    assert "times as fast (p = " in text
    assert "another result: count: 65000 in abc1234, 65001 here" in text
    assert "another result: score" not in text
    assert "skipped: search: AttributeError: no search" in text
    assert said["geometric_mean"]["value"] == pytest.approx(1.5**0.5, rel=0.03)
    json.dumps(said, default=float, allow_nan=False)


def test_the_names_of_rows_are_those_of_the_worker() -> None:
    from compare_versions import NAMES_OF_ROWS
    from versions_rows import ROWS

    assert tuple(ROWS) == NAMES_OF_ROWS


def test_each_small_row_runs_and_tells_its_result() -> None:
    from versions_rows import ROWS

    row = ROWS["count S=16 V=43,008"]()
    assert row.result == 31_609
    assert 0 < row.ours() < row.yardstick()


def command(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BENCHMARKS / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_unknown_commit_or_row_is_told() -> None:
    done = command("compare_versions.py", "no-such-thing")
    assert done.returncode == 1
    assert "git knows no commit 'no-such-thing'" in done.stderr
    done = command("compare_versions.py", "HEAD", "--only", "coutn")
    assert done.returncode == 2
    assert "no row has 'coutn' in its name; the rows are: count S=16" in done.stderr


def test_a_version_that_does_not_build_shows_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import versions_builds

    (tmp_path / "setup.py").write_text(
        "import sys\nprint('compiling')\nsys.exit('error: no compiler')\n"
    )
    with pytest.raises(
        versions_builds.BuildError, match=r"(?s)does not build; the end of .*\ncompiling\nerror: no"
    ):
        versions_builds._compile(tmp_path)


def test_a_build_has_its_python_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import versions_builds

    monkeypatch.setattr(sys, "pycache_prefix", None)
    (tmp_path / "setup.py").write_text("print('compiled')\n")
    (tmp_path / "swapnas_ext").mkdir()
    (tmp_path / "swapnas_ext" / "one.py").write_text("ONE = 1\n")
    versions_builds._compile(tmp_path)
    assert (tmp_path / "build.log").read_text() == "compiled\n"
    assert list(tmp_path.glob("swapnas_ext/__pycache__/one.*.pyc"))


# ---- the picture of the releases -----------------------------------------------------------------


def test_releases_are_drawn_in_their_order(tmp_path: Path) -> None:
    from versions_picture import draw_releases, read_releases

    ratio = {"value": 2.0, "low": 1.9, "high": 2.1}
    for version in ("0.10.0", "0.2.0"):
        rows = {"count": {"yardstick": "unique", "ratio": ratio}}
        if version == "0.10.0":
            rows["search"] = {"yardstick": "published way", "ratio": {**ratio, "value": 2.05}}
        about = {"version": version, "date": "2026-11-20", "rows": rows}
        (tmp_path / f"{version}.json").write_text(json.dumps(about))
    releases = read_releases(tmp_path)
    assert [release["version"] for release in releases] == ["0.2.0", "0.10.0"]
    figure = draw_releases(releases)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "count\nunique",
        "search\npublished way",
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "0.2.0 (2026-11-20)",
        "0.10.0 (2026-11-20)",
    ]
