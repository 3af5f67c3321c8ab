"""CSV files as they are published, and as spreadsheets save them."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from swapnas_ext._util import read_text, unquoted
from swapnas_ext.correlation.decimal_marks import decimal_mark, with_point

_DELIMITERS = ",;\t"
_TOLD_DELIMITER = re.compile(r"sep=(.)\r?\n")  # Excel's own
Cells = Mapping[str, str]


@dataclass(frozen=True)
class CsvTable:
    """Rows with the lines on which they end; None for those with more or fewer cells than the header line."""

    rows: list[tuple[int, Cells | None]]

    def with_decimal_points(
        self, columns: Iterable[str], architecture: str | None
    ) -> list[tuple[int, Cells | None]]:
        """The rows, with numbers of these columns as Python writes them.

        Raises:
            ValueError: what is a decimal mark, and what groups thousands, can't be told.
        """
        cells = [row for _, row in self.rows if row is not None]
        by_column = {name: [row[name] for row in cells] for name in cells[0]}
        marks = {}
        for name in columns:
            others = (by_column[other] for other in by_column.keys() - {name, architecture})
            mark = decimal_mark(name, by_column[name], others)
            if mark is not None:
                marks[name] = mark
        return [
            (place, row and {**row, **{name: with_point(row[name], marks[name]) for name in marks}})
            for place, row in self.rows
        ]


def read_csv(path: Path) -> CsvTable:
    """A table with a header line. Cells are parted by commas, semicolons or tabs, whichever the header line has
    most of, or by what a first line such as ``sep=;`` tells. Lines that begin with #, and empty ones, are left
    out; so are empty cells at the end of a line beyond the header's.

    Raises:
        OSError: it can't be read.
        ValueError: it is no such table.
    """
    text = read_text(path)
    told = _TOLD_DELIMITER.match(text)
    if told:
        text = "\n" + text[told.end() :]  # so that lines keep their numbers
    try:
        delimiter = (
            told[1] if told else max(_DELIMITERS, key=lambda mark: _width_of_header(text, mark))
        )
        rows = _rows(text, delimiter)
        _, header = next(rows, (0, []))
        if not header:
            raise ValueError(f"{path} is empty: expected a header line with names of columns")
        names = _without_empty_end([name.strip() for name in header], 0)
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ValueError(f"{path} has more than one column {twice[0]!r}")
        found: list[tuple[int, Cells | None]] = []
        for line, cells in rows:
            cells = _without_empty_end(cells, len(names))
            same = len(cells) == len(names)
            found.append(
                (line, dict(zip(names, map(unquoted, cells), strict=True)) if same else None)
            )
    except csv.Error as error:
        raise ValueError(f"can't read {path} as a CSV file: {error}") from error
    return CsvTable(found)


def _width_of_header(text: str, delimiter: str) -> int:
    # Not strict: cells may be in quotes, and parted by another mark than this one.
    rows = _rows(text, delimiter, strict=False)
    return len(next(rows, (0, []))[1])


def _rows(text: str, delimiter: str, *, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Lines (the last one of each row, from 1) and cells."""
    lines = _Lines(text, delimiter)
    for cells in csv.reader(lines, delimiter=delimiter, strict=strict):
        if any(cell.strip() for cell in cells):
            yield lines.number, cells


def _without_empty_end(cells: list[str], least: int) -> list[str]:
    end = len(cells)
    while end > least and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


class _Lines:
    """The lines of a table without its comments, which are no part of a quoted cell."""

    def __init__(self, text: str, delimiter: str) -> None:
        self._lines = iter(io.StringIO(text, newline=""))
        self._delimiter = delimiter
        self._in_quotes = False
        self.number = 0
        """Of the last one."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            self.number += 1
            if self._in_quotes or not line.lstrip().startswith("#"):
                if '"' in line:
                    self._in_quotes = self._ends_in_quotes(line)
                return line
        raise StopIteration

    def _ends_in_quotes(self, line: str) -> bool:
        """Quotes within a cell that does not begin with one are text."""
        in_quotes, at_start = self._in_quotes, True
        for mark in line:
            if mark == '"' and in_quotes:
                in_quotes, at_start = False, True  # a second one is text, and opens it again
            elif mark == '"' and at_start:
                in_quotes = True
            elif not in_quotes:
                at_start = mark == self._delimiter
        return in_quotes
