"""Where there is no terminal, a line every ten seconds takes the place of a bar."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from swapnas_ext.cli import progress
from swapnas_ext.cli.progress import Bar, progress_bar
from swapnas_ext.search import Progress
from swapnas_ext.search.strategies import Individual


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def plain() -> Console:
    return Console(file=io.StringIO(), force_terminal=False)


def test_a_line_every_ten_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar("searching", plain(), clock)
    task = bar.add_task("", total=5000, state="starting")
    for now, done in ((104, 40), (109.9, 99), (110, 100), (119, 190), (121, 210)):
        clock.now = now
        bar.update(task, completed=done, state=f"best {done}")
        bar.write_if_due()
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(", ")[0] for line in lines] == [
        "searching: 100 of 5,000, best 100",
        "searching: 210 of 5,000, best 210",
    ]
    assert all(line.endswith(" min left") for line in lines)


def test_a_command_that_waits_tells_that_it_goes_on(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = Bar("validating", plain(), clock)
    bar.add_task("", total=None, state="")
    clock.now += 10
    bar.write_if_due()
    bar.write_if_due()
    assert capsys.readouterr().err == "validating: 0\n"


def test_the_lines_come_by_themselves(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_CHECKED", 0.001)
    written, start = threading.Event(), clock.now
    original = Bar.write_if_due

    def noticed(self: Bar) -> None:
        original(self)
        if self._written == clock.now > start:
            written.set()

    monkeypatch.setattr(Bar, "write_if_due", noticed)
    with Bar("scoring", plain(), clock) as bar:
        bar.add_task("", total=3, state="")
        clock.now += 11
        assert written.wait(timeout=60)
    assert capsys.readouterr().err == "scoring: 0 of 3\n"
    assert bar._writer is not None and not bar._writer.is_alive()


def test_a_short_command_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("searching", 40) as on_progress:
        on_progress(Progress(40, 40, 40, None, 0, seconds=1.0))
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""


def test_what_a_search_tells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE", 0.0)
    monkeypatch.setattr(progress, "_CHECKED", 60.0)
    bars: list[Bar] = []
    monkeypatch.setattr(progress, "bar", lambda what: bars.append(Bar(what, plain())) or bars[0])
    best = Individual(3, "cell", 2.5, 1000)
    with progress_bar("searching", 5000) as on_progress:
        on_progress(Progress(420, 5000, 400, best, 3, over=2, looking=1000, rate=40.0))
        bars[0].write_if_due()
    line = capsys.readouterr().err
    assert line.startswith(
        "searching: 420 of 5,000, best 12.1825, 40 candidates/s, 3 without a score, 2 beyond the limits, "
        "looking for new architectures: 1,000 in a row were known or too large, 2 min left"
    )


def test_a_terminal_has_its_bar(capsys: pytest.CaptureFixture[str]) -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100, color_system=None)
    with Bar("searching", console) as bar:
        task = bar.add_task("", total=10, state="best 1")
        bar.update(task, completed=5)
        bar.refresh()
    assert "searching" in text.getvalue() and "5/10" in text.getvalue()
    assert "━" in text.getvalue()
    assert capsys.readouterr().err == ""
