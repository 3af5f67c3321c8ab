"""Small HTML tables for notebooks: text alone, in the notebook's own colours, light or dark, and without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_CELL = "padding:.15em .7em;border:0;vertical-align:top"
_NUMBER = f"{_CELL};text-align:right"
_TEXT = f"{_CELL};text-align:left;overflow-wrap:anywhere"
_LEAST = 28
"""Letters of a line that a column of long texts has at least."""


def notebook_facts(title: str, facts: Mapping[str, object]) -> str:
    """A title, and a line for each fact: its name and its value. All are plain text."""
    lines = "".join(
        f'<tr><th style="{_TEXT};opacity:.7">{escape(name)}</th><td style="{_TEXT}">{escape(str(value))}</td></tr>'
        for name, value in facts.items()
    )
    return _titled(title, lines)


def notebook_table(title: str, columns: Mapping[str, Sequence[str]]) -> str:
    """A title, and a table of columns of cells by heading. All are plain text. Columns of numbers are aligned to the
    right."""
    styles = [_style(cells) for cells in columns.values()]
    heading = "".join(
        f'<th style="{style};opacity:.7">{escape(name)}</th>'
        for style, name in zip(styles, columns, strict=True)
    )
    lines = "".join(
        "<tr>{}</tr>".format(
            "".join(
                f'<td style="{style}">{escape(cell)}</td>'
                for style, cell in zip(styles, line, strict=True)
            )
        )
        for line in zip(*columns.values(), strict=True)
    )
    return _titled(title, f"<tr>{heading}</tr>{lines}")


def _style(cells: Sequence[str]) -> str:
    """Of a column. A long text wraps, but is not squeezed to a letter a line where there is little room."""
    if all(map(_is_number, cells)):
        return _NUMBER
    return f"{_TEXT};min-width:{min(_LEAST, max(map(len, cells)))}ch"


def _titled(title: str, lines: str) -> str:
    table = f'<table style="border-collapse:collapse;font-size:90%">{lines}</table>'
    scrolled = f'<div style="overflow-x:auto">{table}</div>'
    return f'<div><div style="font-weight:600">{escape(title)}</div>{scrolled}</div>'


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "").rstrip("%"))
    except ValueError:
        return cell in ("", "-")
    return True


def shortened(text: str, most: int = 120) -> str:
    """A text of at most so many characters, cut off at its end."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
