"""Where a search is kept: an SQLite file."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from swapnas_ext._util import parsed_json
from swapnas_ext.search import run_file_of_format_2
from swapnas_ext.search.candidate import Candidate, Outcome
from swapnas_ext.search.run_file_checks import BOOLEANS, checked, problem_of
from swapnas_ext.version import __version__

FORMAT = 3
_NO_ROOM = "; what is recorded is safe: make room, and continue with --resume"
_NO_ROOM_YET = "; nothing is recorded yet: make room, or choose another place"
_APPLICATION = 0x53574150  # "SWAP": tells these files from other SQLite files

_CANDIDATE = ("number", "phase", "architecture", "form", "parents", "parameters")
_OUTCOME = tuple(field.name for field in fields(Outcome))
_COLUMNS = (*_CANDIDATE, *_OUTCOME, "finished")
_TABLE = """
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
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
{_TABLE.format(name="candidate")}
"""


class RunFileError(RuntimeError):
    """A run file that can't be used, or can no longer be written."""


class RunFile:
    """The run file of a search; ``path=None`` keeps it in memory.

    Made by `create`, `resume` or `read`. What is recorded survives the process (``kill -9`` too): a
    commit to SQLite's write-ahead log for every `record`.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._connection = connection
        self._path = path
        self._inode = None if path is None else path.stat().st_ino
        self._lock: FileLock | None = None
        self._was_there = True  # before `create`
        self._format = FORMAT

    @classmethod
    def create(cls, path: str | Path | None, settings: dict[str, Any]) -> RunFile:
        """A new run.

        Raises:
            RunFileError: the file exists, or its folder can't be written to.
        """
        if path is None:
            history = cls(sqlite3.connect(":memory:"), None)
        else:
            path = Path(path).resolve()  # a link to a run is that run
            if is_taken(path):
                raise RunFileError(
                    f"{path} exists: continue it with --resume {path}, or choose another file"
                )
            if path.exists() and not path.is_file():
                raise RunFileError(f"can't make {path}: what is there is no file")
            if not path.parent.is_dir():
                raise RunFileError(f"can't make {path}: there is no folder {path.parent}")
            was_there = path.exists()
            lock = _lock(path)
            try:
                history = cls(_open(path, "rwc"), path)
                history._was_there = was_there
            except BaseException:
                lock.release()
                raise
            history._lock = lock
        try:
            with history._told(_NO_ROOM_YET):
                history._make(settings)
        except BaseException:
            history.close(discard=True)
            raise
        return history

    @classmethod
    def resume(cls, path: str | Path) -> RunFile:
        """A run to go on with.

        Raises:
            FileNotFoundError: no such file.
            RunFileError: not a run file, or one that another search is writing, or that can't be written.
        """
        path = _existing(path)
        lock = _lock(path)
        try:
            history = cls._opened(path, "rw")
            history._lock = lock
            with history._told():
                history._connection.execute("PRAGMA synchronous = NORMAL")
                history._upgrade()
                # Finds out whether it can be written.
                history._write_about({"version": __version__})
        except BaseException:
            lock.release()
            raise
        return history

    @classmethod
    def read(cls, path: str | Path) -> RunFile:
        """A run to look at, which a search may be writing.

        Raises:
            FileNotFoundError: no such file.
            RunFileError: not a run file.
        """
        path = _existing(path)
        # SQLite puts files beside one that it reads, and leaves them there, unless it is told that nobody writes.
        return cls._opened(path, "ro" if _log(path).exists() else "ro&immutable=1")

    def _make(self, settings: dict[str, Any]) -> None:
        if self._path is not None:
            self._connection.execute("PRAGMA journal_mode = WAL")
        about = {"settings": settings, "version": __version__, "started": time.time()}
        rows = [(name, json.dumps(value)) for name, value in about.items()]
        # One transaction, so that a file has all of it or nothing.
        self._connection.executescript(f"BEGIN;{_SCHEMA}{_inserts(rows)}COMMIT;")
        self._connection.execute("PRAGMA synchronous = NORMAL")

    @classmethod
    def _opened(cls, path: Path, mode: str) -> RunFile:
        history = cls(_open(path, mode), path)
        try:
            with history._told():
                (application,) = history._connection.execute("PRAGMA application_id").fetchone()
                (version,) = history._connection.execute("PRAGMA user_version").fetchone()
                if application != _APPLICATION:
                    raise RunFileError(f"{path} is not a run file of swapnas")
                if version not in (run_file_of_format_2.FORMAT, FORMAT):
                    raise RunFileError(
                        f"{path} has format {version}, made by another version of swapnas_ext "
                        f"({history._about().get('version', 'unknown')}); {__version__} reads formats "
                        f"{run_file_of_format_2.FORMAT} and {FORMAT}"
                    )
                history._format = version
                history._check_schema()
                (state,) = history._connection.execute("PRAGMA quick_check(1)").fetchone()
                if state != "ok":
                    raise RunFileError(f"{path} is damaged: {state}")
        except BaseException:
            history._connection.close()
            raise
        return history

    def _check_schema(self) -> None:
        """A run file may come from anyone. A view in the place of a table could compute without end, and a trigger
        do things that nobody asked for."""
        things = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        rows = self._connection.execute(things).fetchall()
        plain = all(kind == "table" and "VIRTUAL" not in sql.upper() for kind, _, sql in rows)
        computed = any(
            hidden
            for _, name, _ in rows
            for *_, hidden in self._connection.execute(f"PRAGMA table_xinfo({_quoted(name)})")
        )
        if not plain or computed or {name for _, name, _ in rows} != {"about", "candidate"}:
            names = ", ".join(f"{kind} {name}" for kind, name, _ in rows)
            raise RunFileError(
                f"{self._path} is damaged, or no run file: expected the tables about and candidate, found {names}"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """As given to `create`."""
        settings: dict[str, Any] = self.about["settings"]
        return settings

    @property
    def about(self) -> dict[str, Any]:
        """What the run was made with, when it was started and ended, and how."""
        with self._told():
            about = self._about()
        problem = problem_of(about)
        if problem is not None:
            raise RunFileError(f"{self._path} is damaged: {problem}")
        return about

    def write_about(self, **values: Any) -> None:
        with self._told():
            self._write_about(values)

    def candidates(self) -> list[Candidate]:
        """All that are recorded, by number."""
        with self._told():
            if self._format == run_file_of_format_2.FORMAT:
                return run_file_of_format_2.candidates(self._connection)
            query = f"SELECT {', '.join(_COLUMNS)} FROM candidate ORDER BY number"
            return [_candidate(row) for row in self._connection.execute(query)]

    def record(self, candidates: Sequence[Candidate]) -> None:
        """Writes candidates with their outcomes, all or none.

        Raises:
            RunFileError: the file can't be written, or is gone.
        """
        self._check_still_there()
        with self._told(writing=True), self._connection:
            self._insert(candidates, "candidate")

    def _insert(self, candidates: Sequence[Candidate], table: str) -> None:
        marks = ", ".join("?" * len(_COLUMNS))
        self._connection.executemany(
            f"INSERT INTO {table} ({', '.join(_COLUMNS)}) VALUES ({marks})", map(_row, candidates)
        )

    def _check_still_there(self) -> None:
        """SQLite would go on writing to a file that no one can find."""
        if self._path is None:
            return
        try:
            same = self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            same = False
        if not same:
            raise RunFileError(
                f"{self._path} was removed or replaced while a search was writing to it"
            )

    def close(self, *, discard: bool = False) -> None:
        """``discard`` removes the file, or empties it where it was there before the run."""
        self._connection.close()
        if discard and self._path is not None:
            for suffix in ("-wal", "-shm", "-journal"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            if self._was_there:
                os.truncate(self._path, 0)
            else:
                self._path.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _about(self) -> dict[str, Any]:
        rows = self._connection.execute("SELECT name, value FROM about").fetchall()
        return {name: parsed_json(value, f"its {name}") for name, value in rows}

    def _upgrade(self) -> None:
        """Rewrites a file of the format before, all of it or nothing."""
        if self._format == FORMAT:
            return
        candidates = run_file_of_format_2.candidates(self._connection)
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(_TABLE.format(name="upgraded"))
            self._insert(candidates, "upgraded")
            self._connection.execute("DROP TABLE candidate")
            self._connection.execute("ALTER TABLE upgraded RENAME TO candidate")
            self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        self._format = FORMAT

    def _write_about(self, values: dict[str, Any]) -> None:
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO about VALUES (?, ?)",
                [(name, json.dumps(value)) for name, value in values.items()],
            )

    @contextmanager
    def _told(self, no_room: str = _NO_ROOM, *, writing: bool = False) -> Iterator[None]:
        """SQLite's errors, with the file and what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise RunFileError(f"{self._path}: {error}{_advice(error, no_room)}") from error
        except (ValueError, TypeError) as error:
            if writing:
                raise
            raise RunFileError(f"{self._path} is damaged: {error}") from error


def is_taken(path: str | Path) -> bool:
    """Whether there is something at the path: an empty file is as good as none."""
    path = Path(path)
    return path.exists() and path.stat().st_size > 0


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
    """Raises ValueError or TypeError where a row is not what `record` writes."""
    number, phase, architecture, form, parents, parameters, *outcome, finished = row
    known = dict(zip(_OUTCOME, outcome, strict=True))
    for name in BOOLEANS:  # SQLite has no booleans
        known[name] = {0: False, 1: True}.get(known[name], known[name])
    known["details"] = parsed_json(known["details"], "its details")
    return checked(
        Candidate(
            number,
            phase,
            architecture,
            form,
            tuple(parsed_json(parents, "its parents")),
            parameters,
            Outcome(**known),
            finished,
        )
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _inserts(rows: list[tuple[str, str]]) -> str:
    values = ", ".join(f"({_quoted(name)}, {_quoted(value)})" for name, value in rows)
    return f"INSERT INTO about VALUES {values};"


def _advice(error: sqlite3.Error, no_room: str) -> str:
    text = str(error)
    if "readonly" in text:
        return "; a search has to write to it: make the file and its folder writable"
    if "full" in text or "disk I/O" in text:
        return no_room
    if "not a database" in text or "malformed" in text or "no such" in text:
        return "; it is not a run file of swapnas, or a damaged one"
    return ""


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _existing(path: str | Path) -> Path:
    """The file itself, so that a link to a run is that run."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no run file {path}")
    return path.resolve()


def _open(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    try:
        return sqlite3.connect(uri, uri=True, timeout=10)
    except sqlite3.Error as error:
        raise RunFileError(f"can't open {path}: {error}") from error


def _lock(path: Path) -> FileLock:
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunFileError(f"another search is writing to {path}") from None
    except OSError as error:
        raise RunFileError(f"can't write beside {path}: {error}") from error
    return lock
