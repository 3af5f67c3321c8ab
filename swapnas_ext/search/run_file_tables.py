"""The tables of a run file, and their rows."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from swapnas_ext._util import garbage_kept, parsed_json
from swapnas_ext.search.candidate import Candidate, Outcome
from swapnas_ext.search.run_file_checks import BOOLEANS, checked_candidate
from swapnas_ext.search.run_file_rows import read_at_once
from swapnas_ext.version import __version__

FORMAT = 3
APPLICATION = 0x53574150  # "SWAP": tells run files from other SQLite files

_CANDIDATE = ("number", "phase", "architecture", "form", "parents", "parameters")
_OUTCOME = tuple(field.name for field in fields(Outcome))
_COLUMNS = (*_CANDIDATE, *_OUTCOME, "finished")
_SELECTED = f"SELECT {', '.join(_COLUMNS)} FROM candidate"
TABLE = """
CREATE TABLE {name} (
    number INTEGER PRIMARY KEY,
    phase INTEGER NOT NULL,
    architecture TEXT NOT NULL,
    form TEXT NOT NULL UNIQUE,
    parents TEXT NOT NULL,
    parameters INTEGER NOT NULL,
    measure TEXT, score REAL, log_score REAL, spread REAL, details TEXT NOT NULL,
    neurons INTEGER, ternary INTEGER, saturated INTEGER, flops INTEGER,
    latency REAL, latency_low REAL, latency_high REAL, seconds REAL NOT NULL, over TEXT, error TEXT,
    finished REAL NOT NULL
);
"""
_SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
{TABLE.format(name="candidate")}
"""


def creation(settings: dict[str, Any]) -> str:
    """The SQL that makes the tables. One transaction, so that a file has all of it or nothing."""
    started = time.time()
    about = {
        "settings": settings,
        "version": __version__,
        "started": started,
        "sessions": [[started, None]],
    }
    values = ", ".join(
        f"({_quoted(name)}, {_quoted(json.dumps(value))})" for name, value in about.items()
    )
    return f"BEGIN;{_SCHEMA}INSERT INTO about VALUES {values};COMMIT;"


def problem_of_tables(connection: sqlite3.Connection) -> str | None:
    """What is wrong with the tables of a file; None if nothing is.

    A run file may come from anyone. A view in the place of a table could compute without end, and a trigger could do
    things that nobody asked for.
    """
    things = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    rows = connection.execute(things).fetchall()
    plain = all(kind == "table" and "VIRTUAL" not in sql.upper() for kind, _, sql in rows)
    computed = any(
        hidden
        for _, name, _ in rows
        for *_, hidden in connection.execute(f"PRAGMA table_xinfo({_quoted(name)})")
    )
    if plain and not computed and {name for _, name, _ in rows} == {"about", "candidate"}:
        return None
    names = ", ".join(f"{kind} {name}" for kind, name, _ in rows)
    return f"expected the tables about and candidate, found {names}"


def read(connection: sqlite3.Connection) -> Sequence[Candidate]:
    """All recorded candidates, by number. Raises ValueError or TypeError if a row is not as `insert` writes it."""
    with garbage_kept():
        rows = connection.execute(f"{_SELECTED} ORDER BY number").fetchall()
        found = read_at_once(rows, _COLUMNS, _OUTCOME)
    return list(map(_candidate, rows)) if found is None else found


def read_ranges(
    connection: sqlite3.Connection, ranges: Sequence[tuple[int, int]]
) -> Sequence[Candidate]:
    """The recorded candidates in ranges of numbers, whose ends are included. Errors as for `read`."""
    query = f"{_SELECTED} WHERE number BETWEEN ? AND ?"
    rows = [row for ends in ranges for row in connection.execute(query, ends)]
    found = read_at_once(rows, _COLUMNS, _OUTCOME)
    return list(map(_candidate, rows)) if found is None else found


def insert(
    connection: sqlite3.Connection, candidates: Sequence[Candidate], table: str = "candidate"
) -> None:
    marks = ", ".join("?" * len(_COLUMNS))
    connection.executemany(
        f"INSERT INTO {table} ({', '.join(_COLUMNS)}) VALUES ({marks})", map(_row, candidates)
    )


def _row(candidate: Candidate) -> tuple[Any, ...]:
    assert candidate.outcome is not None
    outcome = {**vars(candidate.outcome), "details": json.dumps(dict(candidate.outcome.details))}
    return (
        candidate.number,
        candidate.phase,
        candidate.architecture,
        candidate.form,
        json.dumps(candidate.parents),
        candidate.parameters,
        *(outcome[name] for name in _OUTCOME),
        candidate.finished,
    )


def _candidate(row: tuple[Any, ...]) -> Candidate:
    number, phase, architecture, form, parents, parameters, *outcome, finished = row
    known = dict(zip(_OUTCOME, outcome, strict=True))
    for name in BOOLEANS:  # SQLite has no booleans
        known[name] = {0: False, 1: True}.get(known[name], known[name])
    known["details"] = parsed_json(known["details"], "its details")
    return checked_candidate(
        number, phase, architecture, form, parents, parameters, Outcome(**known), finished
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
