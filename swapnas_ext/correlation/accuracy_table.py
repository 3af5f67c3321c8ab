"""Reads benchmark tables, which list the accuracies of architectures, from CSV and JSON files."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from swapnas_ext._util import SameWithNan, parsed_json, read_text
from swapnas_ext.correlation.accuracy_column import accuracy_column
from swapnas_ext.correlation.csv_table import read_csv
from swapnas_ext.spaces import ArchitectureError, SearchSpace

_ARCHITECTURE = ("architecture", "arch_str", "arch", "genotype")
_LISTED = 5
"""How many rows an error lists of each kind of fault."""


@dataclass(frozen=True, eq=False)
class Row(SameWithNan):
    """One architecture of a benchmark table.

    Attributes:
        place: the line of a CSV file, or the number of a JSON entry, from 1.
        architecture: the architecture in the space's own notation.
        accuracy: the accuracy as the table gives it.
        baselines: values of the columns to compare with; NaN where a value is missing.
    """

    place: int
    architecture: str
    accuracy: float
    baselines: Mapping[str, float]


@dataclass(frozen=True)
class Fault:
    """A row that can't be used: where it is, what kind of fault it has, and the reason in words."""

    place: int
    kind: str
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class AccuracyTable(SameWithNan):
    """A benchmark table: architectures of a space with their accuracies.

    Attributes:
        name: the file's name.
        accuracy: name of the column that has the accuracies.
        rows: the rows that can be used.
        faults: the rows that were left out.
    """

    name: str
    accuracy: str
    rows: Sequence[Row]
    faults: Sequence[Fault]

    def __repr__(self) -> str:
        return f"<AccuracyTable {self.name}, {self.accuracy}: {len(self.rows):,} rows, {len(self.faults):,} left out>"

    def sampled(self, limit: int | None, seed: int) -> AccuracyTable:
        """A table of at most ``limit`` random rows, in their order. A larger limit keeps these and adds more."""
        if limit is None or limit >= len(self.rows):
            return self
        order = list(range(len(self.rows)))
        random.Random(seed).shuffle(order)
        return replace(self, rows=[self.rows[place] for place in sorted(order[:limit])])


def read_table(
    path: str | Path,
    space: SearchSpace,
    *,
    architecture: str | None = None,
    accuracy: str | None = None,
    baselines: Sequence[str] = (),
    skip_bad: bool = False,
) -> AccuracyTable:
    """Reads a benchmark table.

    Args:
        path: a ``.csv`` file with a header line, or a ``.json`` file that is a list of objects. CSV files may also
            have semicolons and decimal commas (see `read_csv`). The column of a value in a nested JSON object is
            written ``a.b``.
        architecture: the column of architecture strings. By default, the first that is called architecture,
            arch_str, arch or genotype; or else what the space knows of its published table
            (`SearchSpace.from_entry`).
        accuracy: the column of accuracies. By default, the first whose name has acc or accuracy as a word: of
            validation if there is one, or else of test. Where no name has, the first that begins with val, or
            else with test. Errors, losses, ranks, times, sizes, seeds and the like are never taken.
        baselines: columns of numbers to compare with. A cell without a number is a missing value.
        skip_bad: leave out rows that can't be used, instead of raising an error. Such rows have no architecture
            of the space, no finite accuracy, or the architecture of an earlier row.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file can't be read, a column is missing, or there are no rows; or, without ``skip_bad``, a
            row can't be used.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no table {path}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the table's file")
    csv_table = None if path.suffix.lower() == ".json" else read_csv(path)
    entries = _json_entries(path) if csv_table is None else csv_table.rows
    whole = [entry for _, entry in entries if entry is not None]
    columns = list(dict.fromkeys(name for entry in whole for name in flat(entry)))
    if entries and not whole:
        raise ValueError(
            f"{path}: all {len(entries):,} rows have more or fewer cells than the header line, row "
            f"{entries[0][0]} for example; expected one cell for each column"
        )
    if not whole:
        raise ValueError(
            f"{path} has no rows: expected one row for each architecture, with its accuracy"
        )
    for name in (architecture, accuracy, *baselines):
        if name is not None and name not in columns:
            raise ValueError(f"{path} has no column {name!r}; it has: {', '.join(columns)}")
    if architecture is None:
        lower = {name.lower(): name for name in reversed(columns)}
        architecture = next((lower[name] for name in _ARCHITECTURE if name in lower), None)
        if architecture is None and not any(_from_entry(space, entry) for entry in whole):
            raise ValueError(
                f"which column of {path} has the architectures? Name it (--architecture); it has: "
                f"{', '.join(columns)}"
            )
    if accuracy is None:
        accuracy = accuracy_column(
            name for name in columns if name not in (architecture, *baselines)
        )
    if accuracy is None:
        raise ValueError(
            f"which column of {path} has the accuracies? None is called one (val..., test... or ...acc..., "
            "and no error, loss, rank or the like): name it with --accuracy COLUMN, or accuracy= in "
            f"Python; it has: {', '.join(columns)}"
        )

    if csv_table is not None:
        try:
            entries = csv_table.with_decimal_points([accuracy, *baselines], architecture)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    rows: list[Row] = []
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for place, entry in entries:
        found = _row(place, entry, space, architecture, accuracy, baselines)
        if isinstance(found, Row):
            first = seen.setdefault(found.architecture, place)
            if first != place:
                found = Fault(place, "duplicate", f"the architecture of row {first}")
        if isinstance(found, Row):
            rows.append(found)
        else:
            faults.append(found)
    if not skip_bad:
        _check_baselines(entries, baselines, path)
    if faults and not skip_bad:
        raise ValueError(
            f"{path}: {tell_faults(faults, len(entries))}\ncorrect them, or leave them out (--skip-bad)"
        )
    if not rows:
        raise ValueError(f"{path}: no row can be used; {tell_faults(faults, len(entries))}")
    return AccuracyTable(path.name, accuracy, rows, faults)


def tell_faults(faults: Sequence[Fault], total: int) -> str:
    """Says how many faults there are of each kind, and lists the first of them."""
    lines = [f"{len(faults):,} of {total:,} rows can't be used"]
    for kind, count in Counter(fault.kind for fault in faults).items():
        lines.append(f"  {count:,} {kind}:")
        shown = [fault for fault in faults if fault.kind == kind][:_LISTED]
        lines += [f"    row {fault.place}: {fault.reason}" for fault in shown]
        if count > _LISTED:
            lines.append(f"    and {count - _LISTED:,} more")
    return "\n".join(lines)


def flat(entry: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """An entry's values by column. The column of a value in a nested object is written ``a.b``."""
    values: dict[str, Any] = {}
    for name, value in entry.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{name}.")
        else:
            values[prefix + name] = value
    return values


Entry = Mapping[str, Any] | None
"""The values of a row by column; None where it has more or fewer cells than the header line."""


def _json_entries(path: Path) -> list[tuple[int, Entry]]:
    content = parsed_json(read_text(path), path)
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise ValueError(
            f"{path} is not a list of objects: expected one object for each architecture"
        )
    return list(enumerate(content, start=1))


def _from_entry(space: SearchSpace, entry: Mapping[str, Any]) -> str | None:
    """The entry's architecture; None where the space does not know such entries, or finds none in this one."""
    try:
        return space.from_entry(entry)
    except ArchitectureError:
        return None


def _row(
    place: int,
    entry: Entry,
    space: SearchSpace,
    architecture: str | None,
    accuracy: str,
    baselines: Sequence[str],
) -> Row | Fault:
    if entry is None:
        return Fault(place, "ragged", "it has more or fewer cells than the header line")
    values = flat(entry)
    try:
        text = space.from_entry(entry) if architecture is None else values.get(architecture)
        if not isinstance(text, str):
            return Fault(place, "without an architecture", f"there is {text!r} in its place")
        text = space.format(space.parse(text))
    except ArchitectureError as error:
        return Fault(place, "unparsable", str(error))
    measured = _number(values.get(accuracy))
    if math.isnan(measured):
        given = values.get(accuracy)
        return Fault(place, "without an accuracy", f"{accuracy} is {given!r}, not a finite number")
    return Row(place, text, measured, {name: _number(values.get(name)) for name in baselines})


def _check_baselines(
    entries: Sequence[tuple[int, Entry]], baselines: Sequence[str], path: Path
) -> None:
    """Raises ValueError for a cell that has digits but is not a number: it would count as a missing value."""
    for place, entry in entries:
        values = {} if entry is None else flat(entry)
        for name in baselines:
            value = values.get(name)
            if isinstance(value, str) and re.search(r"\d", value) and math.isnan(_number(value)):
                raise ValueError(
                    f"{path}: {name} of row {place} is {value!r}, which is not a number; correct it, or leave the "
                    "cell empty (--skip-bad treats all such cells as empty)"
                )


def _number(value: Any) -> float:
    """The value as a number; NaN where it is not a finite number."""
    if isinstance(value, bool) or (
        isinstance(value, str) and "_" in value
    ):  # Python would read 91_1 as 911
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan
