"""Tables as text for a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table


def kind_text(ternary: bool | None) -> str:
    """Of patterns."""
    return "" if ternary is None else "ternary" if ternary else "binary"


def columns_text(cells: Mapping[str, Sequence[str]]) -> str:
    """A table of cells by heading, the first column to the left."""
    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(cells):
        table.add_column(heading, justify="right" if place else "left")
    for line in zip(*cells.values(), strict=True):
        table.add_row(*line)
    return as_text(table)


def as_text(table: Table) -> str:
    """A table for a terminal, of its width; elsewhere in whole lines."""
    buffer = io.StringIO()
    width = None if sys.stdout.isatty() else 250
    Console(file=buffer, width=width, markup=False, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
