"""Reads CSV files as they are published, and as spreadsheets save them."""

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
    """The rows of a CSV file.

    Attributes:
        rows: the line on which each row ends, and its cells by column. The cells are None where there are more or
            fewer of them than in the header line.
    """

    rows: list[tuple[int, Cells | None]]

    def with_decimal_points(
        self, columns: Iterable[str], architecture: str | None
    ) -> list[tuple[int, Cells | None]]:
        """The rows, with the numbers of these columns written as Python writes them.

        Args:
            architecture: the column of architectures, whose commas and points are no decimal marks.

        Raises:
            ValueError: commas or points may be decimal marks or group thousands, and nothing tells which.
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
    """Reads a CSV file with a header line.

    Commas, semicolons or tabs separate cells: whichever the header line has most of. A first line such as ``sep=;``
    names another separator. Empty lines and lines that begin with # are left out. So are empty cells at the end of
    a line that has more cells than the header line.

    Raises:
        OSError: the file can't be read.
        ValueError: the file is not a CSV file with a header line, or two columns have the same name.
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
    # Not strict: the cells may be quoted, with another separator than this one.
    rows = _rows(text, delimiter, strict=False)
    return len(next(rows, (0, []))[1])


def _rows(text: str, delimiter: str, *, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row that is not empty, and the line on which the row ends, from 1."""
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
    """The lines of a CSV file without comments. A line inside a quoted cell is never a comment."""

    def __init__(self, text: str, delimiter: str) -> None:
        self._lines = iter(io.StringIO(text, newline=""))
        self._delimiter = delimiter
        self._in_quotes = False
        self.number = 0
        """Number of the last line that was read."""

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
        """Whether the line ends inside a quoted cell. Quotes inside a cell that does not begin with one are text."""
        in_quotes, at_start = self._in_quotes, True
        for mark in line:
            if mark == '"' and in_quotes:
                in_quotes, at_start = (
                    False,
                    True,
                )  # a doubled quote is text: the second opens it again
            elif mark == '"' and at_start:
                in_quotes = True
            elif not in_quotes:
                at_start = mark == self._delimiter
        return in_quotes
