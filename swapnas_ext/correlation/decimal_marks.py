"""Numbers as spreadsheets of all countries write them: which mark is the decimal one, and which groups thousands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_EXPONENT = r"(?:[eE][+-]?\d+)?"
_MARKS = {",": ".", ".": ","}  # and the other one


@dataclass(frozen=True)
class _Evidence:
    """What the numbers of a column tell.

    Attributes:
        decimal: the marks that can be nothing but decimal ones, with a cell each that tells.
        open: the marks that may be either, with a cell each: 12,000.
    """

    decimal: Mapping[str, str]
    open: Mapping[str, str]


def decimal_mark(column: str, cells: Sequence[str], others: Iterable[Sequence[str]]) -> str | None:
    """The decimal mark of a column's numbers; None where it has no need of one.

    ``1,5`` has a decimal comma. ``12,000`` may be 12 or 12000: this is told by other numbers of the column, or
    else by those of the ``others``.

    Raises:
        ValueError: the numbers tell different marks, or none tells.
    """
    own = _evidence(cells)
    if len(own.decimal) == 2:
        shown = " and ".join(repr(cell) for cell in own.decimal.values())
        raise ValueError(
            f"column {column!r} has numbers with different decimal marks, such as {shown}: write all with points"
        )
    if own.decimal:
        return next(iter(own.decimal))
    if not own.open:
        return None
    elsewhere = {mark for other in others for mark in _evidence(other).decimal}
    if elsewhere == {"."} or (not elsewhere and set(own.open) == {"."}):
        return "."
    if elsewhere == {","} and set(own.open) == {","}:
        return ","
    cell = next(iter(own.open.values()))
    raise ValueError(
        f"column {column!r} has numbers such as {cell!r}, with a mark that may be the decimal one or group "
        "thousands: write them without marks of thousands, and with decimal points"
    )


def with_point(cell: str, mark: str) -> str:
    """A number of that decimal mark as Python writes it; what is none as it is."""
    group, decimal = re.escape(_MARKS[mark]), re.escape(mark)
    number = rf"[+-]?(?:\d{{1,3}}(?:{group}\d{{3}})+|\d*)(?:{decimal}\d*)?{_EXPONENT}"
    if not re.fullmatch(number, cell.strip()):
        return cell
    return cell.replace(_MARKS[mark], "").replace(mark, ".")


def _evidence(cells: Sequence[str]) -> _Evidence:
    decimal: dict[str, str] = {}
    may_be: dict[str, str] = {}
    for cell in map(str.strip, cells):
        if "," not in cell and "." not in cell:
            continue
        for mark, group in _MARKS.items():
            if _only_decimal(cell, mark, group):
                decimal.setdefault(mark, cell)
            elif re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}", cell):
                may_be.setdefault(mark, cell)
    return _Evidence(decimal, may_be)


def _only_decimal(cell: str, mark: str, group: str) -> bool:
    mark, group = re.escape(mark), re.escape(group)
    grouped = rf"[+-]?[1-9]\d{{0,2}}(?:{group}\d{{3}})"
    if re.fullmatch(rf"{grouped}+{mark}\d+", cell) or re.fullmatch(rf"{grouped}{{2,}}", cell):
        return True  # 1,234.5 and 1,234,567 have decimal points
    if not re.fullmatch(rf"[+-]?(?:\d*{mark}\d+|\d+{mark}){_EXPONENT}", cell):
        return False
    return not re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}{mark}\d{{3}}", cell)
