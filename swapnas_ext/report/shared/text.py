"""Tables and sentences as text.

The rule of all commands:

- In a terminal no line is wider than it, but for one that holds something to copy, such as an architecture or a path.
  Such a line is never broken: the terminal wraps it by itself, and copies it as one. Columns that do not fit side by
  side follow below, beside the first column once more; architectures come last, a line for each.
- In a file or a pipe (``width`` is None) nothing is wrapped, cut or rearranged: a line for each row.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TextIO, TypeVar

from rich.cells import cell_len, chop_cells

Item = TypeVar("Item")
Columns = Mapping[str, Sequence[str]]

_GAP = 2
"""Blanks between columns."""
_SENTENCE = 24
"""A column of sentences is at least so wide."""
_NARROWEST = 20
"""A terminal is taken to be at least so wide."""
NO_BREAK = "\N{NO-BREAK SPACE}"
"""A blank at which no line is broken. It is written as a blank."""


def terminal_width(file: TextIO | None = None) -> int | None:
    """The columns of the terminal that a file, by default stdout, writes to; None if it is no terminal.

    ``COLUMNS`` goes before what the terminal says.
    """
    file = sys.stdout if file is None else file
    if not file.isatty():
        return None
    try:
        columns = int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(file.fileno()).columns
    except (ValueError, OSError):
        columns = 0
    return max(_NARROWEST, columns or 80)


def columns_text(
    columns: Columns, width: int | None = None, *, sentences: Collection[str] = ()
) -> str:
    """Columns of cells by heading.

    Args:
        width: of the terminal; None: each row is a line.
        sentences: headings of columns of sentences, which may take several lines.

    Names in the first column, sentences, and a column without a heading are aligned to the left.
    """
    return _Table(columns, {"", *_names(columns), *sentences}, sentences).text(width)


def architectures_text(columns: Columns, width: int | None = None) -> str:
    """As `columns_text`; the last column has architectures, or others to copy, which are never broken."""
    *_, last = columns
    return _Table(columns, {last, *_names(columns)}, (), last).text(width)


def _names(columns: Columns) -> set[str]:
    """The heading of the first column, if it has more than numbers."""
    heading, cells = next(iter(columns.items()))
    return set() if all(map(_is_number, cells)) else {heading}


class _Table:
    """Columns of cells by heading.

    Args:
        left: the headings of columns that are aligned to the left.
        sentences: those whose cells may take several lines.
        whole: the last one, if its cells may be wider than the terminal.
    """

    def __init__(
        self, columns: Columns, left: Collection[str], sentences: Collection[str], whole: str = ""
    ) -> None:
        self._columns = columns
        self._left = left
        self._sentences = sentences
        self._whole = whole
        self._natural = {
            heading: max(map(cell_len, (_one_line(heading), *cells)), default=0)
            for heading, cells in columns.items()
        }

    def text(self, width: int | None) -> str:
        if width is None or self._needed(self._natural) <= width:
            return self._laid_out(self._natural)
        narrowed = self._narrowed(width)
        blocks = [self._laid_out(widths) for widths in self._blocks(narrowed, width)]
        return "\n".join(blocks)

    def _narrowed(self, width: int) -> dict[str, int]:
        """The least widths: headings are broken at blanks, sentences too; first cells anywhere."""
        least = {}
        for heading, cells in self._columns.items():
            words = max(map(cell_len, heading.split()), default=0)
            if heading in self._sentences:
                wanted = max(words, min(_SENTENCE, self._natural[heading]))
            else:
                wanted = max(words, max(map(cell_len, cells), default=0))
            least[heading] = wanted if heading == self._whole else min(wanted, width)
        first, *others = least
        shown = [heading for heading in others if heading != self._whole]
        if shown:  # the first column is beside each of the others
            room = width - _GAP - max(least[heading] for heading in shown)
            least[first] = max(min(least[first], room), min(least[first], width // 4))
            for heading in shown:
                least[heading] = min(least[heading], width - _GAP - least[first])
        return least

    def _blocks(self, least: dict[str, int], width: int) -> Iterator[dict[str, int]]:
        """The widths of the columns of each block."""
        first, *others = least
        block = {first: least[first]}
        for heading in others:
            if len(block) > 1 and self._needed({**block, heading: least[heading]}) > width:
                yield self._widened(block, width)
                block = {first: least[first]}
            block[heading] = least[heading]
        yield self._widened(block, width)

    def _widened(self, block: dict[str, int], width: int) -> dict[str, int]:
        """Gives the room that is left to sentences, and then to the headings of most lines."""
        widths = dict(block)
        for heading in self._sentences:
            if heading in widths:
                room = width - self._needed(widths)
                widths[heading] += max(0, min(room, self._natural[heading] - widths[heading]))
        broken = set(widths)
        while broken:
            heading = max(widths, key=lambda one: (one in broken, self._height(one, widths[one])))
            height = self._height(heading, widths[heading])
            wider = widths[heading]
            while height > 1 and self._height(heading, wider) == height:
                wider += 1
            if height > 1 and self._needed({**widths, heading: wider}) <= width:
                widths[heading] = wider
            else:
                broken.remove(heading)
        return widths

    @staticmethod
    def _height(heading: str, width: int) -> int:
        return len(_filled(_one_line(heading), width, breaks_words=True))

    @staticmethod
    def _needed(widths: Mapping[str, int]) -> int:
        return sum(widths.values()) + _GAP * (len(widths) - 1)

    def _laid_out(self, widths: Mapping[str, int]) -> str:
        headings = [
            _filled(_one_line(heading), widths[heading], breaks_words=True) for heading in widths
        ]
        height = max(map(len, headings))
        padded = ([""] * (height - len(part)) + part for part in headings)
        lines = [self._line(line, widths) for line in zip(*padded, strict=True)]
        for row in zip(*(self._columns[heading] for heading in widths), strict=True):
            parts = [
                _filled(cell, of, breaks_words=True)
                for cell, of in zip(row, widths.values(), strict=True)
            ]
            lines += [self._line(line, widths) for line in zip_longest(*parts, fillvalue="")]
        return "".join(f"{line}\n" for line in lines)

    def _line(self, cells: Sequence[str], widths: Mapping[str, int]) -> str:
        padded = []
        for cell, (heading, width) in zip(cells, widths.items(), strict=True):
            if heading != self._whole:
                cell = cell.replace(NO_BREAK, " ")
            blanks = " " * (width - cell_len(cell))
            padded.append(cell + blanks if heading in self._left else blanks + cell)
        return (" " * _GAP).join(padded).rstrip()


def _one_line(text: str) -> str:
    return text.replace("\n", " ")


def _is_number(cell: str) -> bool:
    return not cell.strip("0123456789.,e+- ")


def _filled(text: str, width: int, *, breaks_words: bool) -> list[str]:
    """Lines of at most ``width``, broken at blanks, and within wider words only if ``breaks_words``. A text that fits
    stays as it is."""
    if cell_len(text) <= width:
        return [text]
    lines: list[str] = []
    for word in text.split(" "):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        elif word:
            lines += chop_cells(word, width) if breaks_words else [word]
    return lines


def unbroken(text: str) -> str:
    """A text within sentences, such as a command, that `wrapped` does not break."""
    return text.replace(" ", NO_BREAK)


def wrapped(text: str, width: int | None = None) -> str:
    """Sentences in lines of at most ``width``, broken at blanks alone. Lines that begin with a blank hold something to
    copy, and stay as they are."""
    if width is None:
        return text.replace(NO_BREAK, " ")
    lines = [
        line if line.startswith(" ") else "\n".join(_filled(line, width, breaks_words=False))
        for line in text.split("\n")
    ]
    return "\n".join(lines).replace(NO_BREAK, " ")


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
