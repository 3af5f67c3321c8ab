"""CSV files as they are published, and as spreadsheets save them."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from swapnas_ext.csv_cell import unquoted
from swapnas_ext.text_file import read_text

_DELIMITERS = ",;\t"
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,(\d+)\s*")
_DECIMAL_POINT = re.compile(r"\s*[+-]?\d*\.\d+.*")

Cells = Mapping[str, str]


@dataclass(frozen=True)
class CsvTable:
    """Rows with the lines on which they end; None for those with more or fewer cells than the header line."""

    delimiter: str
    rows: list[tuple[int, Cells | None]]

    def with_decimal_points(self, columns: Iterable[str]) -> list[tuple[int, Cells | None]]:
        """The rows, with points in those of these columns whose numbers have decimal commas."""
        commas = [name for name in columns if self._has_decimal_commas(name)]
        return [
            (place, cells and {**cells, **{name: _with_point(cells[name]) for name in commas}})
            for place, cells in self.rows
        ]

    def _has_decimal_commas(self, column: str) -> bool:
        values = [cells[column] for _, cells in self.rows if cells is not None]
        found = [match for match in map(_DECIMAL_COMMA.fullmatch, values) if match]
        if not found or any(map(_DECIMAL_POINT.fullmatch, values)):
            return False
        # Where commas also part the cells, 1,234 is rather a thousand.
        return self.delimiter != "," or any(len(match[1]) != 3 for match in found)


def _with_point(text: str) -> str:
    return text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text


def read_csv(path: Path) -> CsvTable:
    """A table with a header line. Cells are parted by commas, semicolons or tabs, whichever the header line has
    most of. Lines that begin with #, and empty ones, are left out; so are empty cells at the end of a line
    beyond the header's.

    Raises:
        OSError: it can't be read.
        ValueError: it is no such table.
    """
    text = read_text(path)
    try:
        delimiter = max(_DELIMITERS, key=lambda mark: _width_of_header(text, mark))
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
    return CsvTable(delimiter, found)


def _width_of_header(text: str, delimiter: str) -> int:
    rows = _rows(
        text, delimiter, strict=False
    )  # cells in quotes, with another delimiter than theirs
    return len(next(rows, (0, []))[1])


def _rows(text: str, delimiter: str, *, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Lines (the last one of each row, from 1) and cells."""
    lines = _Lines(text)
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

    def __init__(self, text: str) -> None:
        self._lines = iter(io.StringIO(text, newline=""))
        self._in_quotes = False
        self.number = 0
        """Of the last one."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            self.number += 1
            if self._in_quotes or not line.lstrip().startswith("#"):
                self._in_quotes ^= line.count('"') % 2 == 1
                return line
        raise StopIteration
