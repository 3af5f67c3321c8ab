"""Tables in a terminal: no line is wider than it, and architectures are whole, each in a line of its own."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import random
import struct
import termios
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from support.run_files import outcome

from swapnas_ext import spaces
from swapnas_ext.report.scores.rows import ScoreRow
from swapnas_ext.report.scores.text import to_text
from swapnas_ext.report.search.text import to_text as search_text
from swapnas_ext.report.shared.text import (
    architectures_text,
    columns_text,
    terminal_width,
    unbroken,
    wrapped,
)
from swapnas_ext.search import Candidate, Control, SearchResult

WIDTHS = st.integers(40, 200)
ROW = ScoreRow(
    architecture="",
    score=1.34889e10,
    log_score=23.3,
    patterns_mean=41_234.5,
    patterns_std=12.5,
    repeats=4,
    samples=16,
    neurons=1_234_567,
    saturation=0.43,
    ternary=True,
    parameters=3_437_686,
    build_seconds=0.1,
    score_seconds=0.24,
    score_std=1.2e8,
)


@pytest.fixture(scope="module", params=spaces.names())
def space(request: pytest.FixtureRequest) -> spaces.SearchSpace:
    return spaces.get(request.param)


@pytest.fixture(scope="module")
def architectures(space: spaces.SearchSpace) -> list[str]:
    rng = random.Random(1)
    return [space.sample(rng) for _ in range(5)]


def found_in(text: str, architectures: list[str]) -> Iterator[str]:
    """The lines that hold an architecture; each is its last part."""
    for line in text.splitlines():
        if any(line.endswith(f"  {architecture}") for architecture in architectures):
            yield line


def check(text: str, width: int, space: spaces.SearchSpace, architectures: list[str]) -> None:
    lines = list(found_in(text, architectures))
    assert len(lines) == len(architectures)
    for line, architecture in zip(lines, architectures, strict=True):
        assert line.endswith(f"  {architecture}")
        space.check(line[len(line) - len(architecture) :])
    others = [line for line in text.splitlines() if line not in lines]
    assert max(map(cell_len, others)) <= width


@settings(max_examples=10)
@given(width=WIDTHS)
def test_scores(space: spaces.SearchSpace, architectures: list[str], width: int) -> None:
    rows = [replace(ROW, architecture=architecture) for architecture in architectures]
    check(to_text(rows, width), width, space, architectures)
    logs = {"capacity": 23.3, "nwot": 206.471, "patterns": None, "zico": -0.0}
    several = [replace(row, log_scores=logs) for row in rows]
    check(to_text(several, width), width, space, architectures)


@pytest.mark.slow
@settings(max_examples=10)
@given(width=WIDTHS)
def test_searches(space: spaces.SearchSpace, architectures: list[str], width: int) -> None:
    candidates = [
        Candidate(
            number, 0, name, name, (), 10**6 - number, outcome(9.0 - number, flops=123_000_000)
        )
        for number, name in enumerate(architectures)
    ]
    result = SearchResult(candidates, (Control(900.0, 4e4),))
    check(search_text(result, top=10, width=width), width, space, architectures)


def test_without_a_terminal_a_row_is_a_line(architectures: list[str]) -> None:
    rows = [replace(ROW, architecture=architecture) for architecture in architectures]
    heading, *lines = to_text(rows).splitlines()
    assert heading.split()[-1] == "architecture" and len(lines) == len(rows)
    for line, architecture in zip(lines, architectures, strict=True):
        assert line.endswith(f"  {architecture}")


NAMES = st.text("abc -_/é漢.", min_size=1, max_size=30).map(str.strip).filter(bool)


@settings(max_examples=60)
@given(
    width=WIDTHS,
    names=st.lists(NAMES, min_size=1, max_size=4),
    headings=st.lists(NAMES, min_size=1, max_size=9, unique=True),
    sentence=st.text("abcdefg ", max_size=300),
)
def test_any_table(width: int, names: list[str], headings: list[str], sentence: str) -> None:
    columns = {
        "run": names,
        **{f"{heading}!": ["1,234.5"] * len(names) for heading in headings},
        "said": [sentence] * len(names),
    }
    text = columns_text(columns, width, sentences=["said"])
    assert max(map(cell_len, text.splitlines())) <= width
    assert text.count("1,234.5") == len(names) * len(headings)


def test_what_does_not_fit_side_by_side_follows_below() -> None:
    columns = {"rank": ["1", "2"], "score": ["10", "9"], "architecture": ["abc def", "x" * 40]}
    assert architectures_text(columns, 30).splitlines() == [
        "rank  score",
        "   1     10",
        "   2      9",
        "",
        "rank  architecture",
        "   1  abc def",
        f"   2  {'x' * 40}",
    ]
    assert architectures_text(columns, 80) == architectures_text(columns)


def test_headings_are_broken_before_columns_are() -> None:
    columns = {"params": ["73,306"], "best score up to this size": ["7507"], "run": ["1"]}
    assert columns_text(columns, 24).splitlines() == [
        "        best score",
        "        up to this",
        "params        size  run",
        "73,306        7507    1",
    ]


def test_sentences_are_broken_at_blanks_alone() -> None:
    path = "/a/very/long/path/of/some/file/with-a-name.db"
    text = f"it is recorded in {path}, and goes on with {unbroken('swapnas search --resume x.db')}"
    lines = wrapped(text, 30).splitlines()
    assert f"{path}," in lines and "swapnas search --resume x.db" in lines
    assert " ".join(lines) == text.replace("\N{NO-BREAK SPACE}", " ") == wrapped(text)
    copied = "  |nor_conv_3x3~0|+ " + "x " * 40
    assert wrapped(f"a:\n{copied}", 20) == f"a:\n{copied}"


def test_the_width_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal_width(io.StringIO()) is None
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as terminal:
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 133, 0, 0))
        assert terminal_width(terminal) == 133
        monkeypatch.setenv("COLUMNS", "61")
        assert terminal_width(terminal) == 61
        monkeypatch.setenv("COLUMNS", "none")
        assert terminal_width(terminal) == 80
    os.close(leader)


def test_a_row_is_a_line_whatever_a_cell_holds() -> None:
    table = {"rank": ["1", "2"], "architecture": ['{"depth":\n 1}', "b"]}
    for width in (None, 80):
        assert architectures_text(table, width).count("\n") == 3
