"""Tables as text for a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from typing import TypeVar

from rich.console import Console
from rich.table import Table

Item = TypeVar("Item")


def columns_text(columns: Mapping[str, Sequence[str]]) -> str:
    """Columns of cells by heading. The first column, and one without a heading, are aligned to the left."""
    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(columns):
        table.add_column(heading, justify="right" if place and heading else "left")
    return _filled(table, columns)


def architectures_text(columns: Mapping[str, Sequence[str]]) -> str:
    """Columns of cells by heading. The last column has architectures, which may take several lines."""
    table = Table(box=None, pad_edge=False)
    *headings, last = columns
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_column(last, overflow="fold", min_width=20)
    return _filled(table, columns)


def _filled(table: Table, columns: Mapping[str, Sequence[str]]) -> str:
    for line in zip(*columns.values(), strict=True):
        table.add_row(*line)
    return as_text(table)


def as_text(table: Table) -> str:
    """A table as text: as wide as the terminal, or with whole lines where there is none."""
    buffer = io.StringIO()
    width = None if sys.stdout.isatty() else 250
    Console(file=buffer, width=width, markup=False, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def printable(text: str) -> str:
    """The text without control characters: a run file may come from anyone, and must not control a terminal."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def printable_lines(text: str) -> str:
    """As `printable`, for several lines."""
    return "\n".join(map(printable, text.split("\n")))


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of the items, evenly from the first to the last."""
    count = min(len(items), most)
    return [items[round(place * (len(items) - 1) / max(1, count - 1))] for place in range(count)]


def kind_text(ternary: bool | None) -> str:
    """The kind of patterns; empty where it is not known."""
    return "" if ternary is None else "ternary" if ternary else "binary"
