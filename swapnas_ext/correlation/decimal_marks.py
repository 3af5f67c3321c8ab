"""Tells which mark of a number is the decimal mark, and which groups thousands.

Spreadsheets write numbers as is usual in their country.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_EXPONENT = r"(?:[eE][+-]?\d+)?"
_MARKS = {",": ".", ".": ","}
"""Decimal marks, each with the mark that then groups thousands."""


@dataclass(frozen=True)
class _Evidence:
    """What the numbers of a column say about the decimal mark.

    Attributes:
        decimal: the marks that can only be decimal marks, each with a cell that shows it.
        open: the marks that may be decimal or group thousands, as in 12,000, each with such a cell.
    """

    decimal: Mapping[str, str]
    open: Mapping[str, str]


def decimal_mark(column: str, cells: Sequence[str], others: Iterable[Sequence[str]]) -> str | None:
    """The decimal mark of a column's numbers; None where the numbers have no marks.

    ``1,5`` has a decimal comma. ``12,000`` may be 12 or 12000: other numbers of the column decide, or else those of
    the ``others``.

    Raises:
        ValueError: numbers have different decimal marks, or nothing decides.
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
        f"column {column!r} has numbers such as {cell!r}, whose mark may be a decimal mark or group thousands: "
        "write them with decimal points, and do not group thousands"
    )


def with_point(cell: str, mark: str) -> str:
    """The number as Python writes it, given its decimal mark. Any other text is returned as it is."""
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
