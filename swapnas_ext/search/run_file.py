"""The run file of a search: an SQLite file."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from swapnas_ext._util import parsed_json
from swapnas_ext.search import run_file_access as access
from swapnas_ext.search import run_file_of_format_2 as format_2
from swapnas_ext.search import run_file_tables as tables
from swapnas_ext.search.candidate import Candidate
from swapnas_ext.search.run_file_access import RunFileError, is_taken
from swapnas_ext.search.run_file_checks import problem_of, recorded_pilot
from swapnas_ext.search.sessions import Session
from swapnas_ext.version import __version__


class RunFile:
    """The run file of a search. `create`, `resume` and `read` make one. With ``path=None`` it is kept in memory.

    Every `record` is committed to SQLite's write-ahead log, so recorded candidates survive the end of the process, also
    by ``kill -9``.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._connection = connection
        self._path = path
        self._inode = None if path is None else path.stat().st_ino
        self._lock: FileLock | None = None
        self._was_there = True  # before `create`
        self._format = tables.FORMAT
        self._resumed: float | None = None  # until something is written

    @classmethod
    def create(cls, path: str | Path | None, settings: dict[str, Any]) -> RunFile:
        """Makes a new run file.

        Raises:
            RunFileError: the file exists, or its folder can't be written to.
        """
        if path is None:
            run_file = cls(sqlite3.connect(":memory:"), None)
        else:
            path = Path(path).resolve()  # links are followed
            if is_taken(path):
                raise RunFileError(
                    f"{path} exists: continue it with --resume {path}, or choose another file"
                )
            if path.exists() and not path.is_file():
                raise RunFileError(f"can't make {path}: what is there is no file")
            if not path.parent.is_dir():
                raise RunFileError(f"can't make {path}: there is no folder {path.parent}")
            was_there = path.exists()
            lock = access.locked(path)
            try:
                run_file = cls(access.connect(path, "rwc"), path)
                run_file._was_there = was_there
            except BaseException:
                lock.release()
                raise
            run_file._lock = lock
        try:
            with run_file._explained(access.NO_ROOM_YET):
                run_file._make(settings)
        except BaseException:
            run_file.close(discard=True)
            raise
        return run_file

    @classmethod
    def resume(cls, path: str | Path) -> RunFile:
        """Opens a run file to continue its search.

        Raises:
            FileNotFoundError: no such file.
            RunFileError: not a run file, or one that another search is writing, or that can't be written.
        """
        path = access.existing(path)
        lock = access.locked(path)
        try:
            run_file = cls._opened(path, "rw")
            run_file._lock = lock
            with run_file._explained():
                run_file._connection.execute("PRAGMA synchronous = NORMAL")
                run_file._upgrade()
                # Fails here if the file can't be written.
                run_file._connection.execute("BEGIN IMMEDIATE")
                run_file._connection.rollback()
                run_file._resumed = time.time()
        except BaseException:
            lock.release()
            raise
        return run_file

    @classmethod
    def read(cls, path: str | Path, *, check_pages: bool = True) -> RunFile:
        """Opens a run file to look at. A search may be writing to it.

        Args:
            check_pages: whether to read all of the file to find damage. Opening a file again and again is quicker
                without.

        Raises:
            FileNotFoundError: no such file.
            RunFileError: not a run file.
        """
        path = access.existing(path)
        # With immutable=1, SQLite leaves no files of its own beside a file that it only reads.
        mode = "ro" if access.log_of(path).exists() else "ro&immutable=1"
        return cls._opened(path, mode, check_pages=check_pages)

    def _make(self, settings: dict[str, Any]) -> None:
        if self._path is not None:
            self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(tables.creation(settings))
        self._connection.execute("PRAGMA synchronous = NORMAL")

    @classmethod
    def _opened(cls, path: Path, mode: str, *, check_pages: bool = True) -> RunFile:
        run_file = cls(access.connect(path, mode), path)
        try:
            with run_file._explained():
                (application,) = run_file._connection.execute("PRAGMA application_id").fetchone()
                (version,) = run_file._connection.execute("PRAGMA user_version").fetchone()
                if application != tables.APPLICATION:
                    raise RunFileError(f"{path} is not a run file of swapnas")
                if version not in (format_2.FORMAT, tables.FORMAT):
                    raise RunFileError(
                        f"{path} has format {version}, made by another version of swapnas_ext "
                        f"({run_file._about().get('version', 'unknown')}); {__version__} reads formats "
                        f"{format_2.FORMAT} and {tables.FORMAT}"
                    )
                run_file._format = version
                problem = tables.problem_of_tables(run_file._connection)
                if problem is not None:
                    raise RunFileError(f"{path} is damaged, or no run file: {problem}")
                if check_pages:
                    (state,) = run_file._connection.execute("PRAGMA quick_check(1)").fetchone()
                    if state != "ok":
                        raise RunFileError(f"{path} is damaged: {state}")
        except BaseException:
            run_file._connection.close()
            raise
        return run_file

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that were given to `create`."""
        settings: dict[str, Any] = self.about["settings"]
        return settings

    @property
    def about(self) -> dict[str, Any]:
        """The settings of the search, and when and how it was started and ended."""
        with self._explained():
            about = self._about()
        problem = problem_of(about)
        if problem is not None:
            raise RunFileError(f"{self._path} is damaged: {problem}")
        return about

    @property
    def pilot(self) -> dict[str, Any] | None:
        """What the pilot of the command chose, as `Pilot.for_json` gives it; None without one."""
        found: dict[str, Any] | None = recorded_pilot(self.about)
        return found

    @property
    def sessions(self) -> tuple[Session, ...]:
        """When the search ran, see `RunningTime`; empty in a file of an earlier version."""
        return tuple((start, end) for start, end in self.about.get("sessions", []))

    def write_about(self, **values: Any) -> None:
        """Records facts of the run, by their names, as JSON."""
        with self._explained():
            self._begin_session()
            self._write_about(values)

    def candidates(self) -> list[Candidate]:
        """All recorded candidates, by number."""
        return list(self.candidates_later())

    def candidates_later(self) -> Sequence[Candidate]:
        """The same, read and checked, and made when they are asked for."""
        with self._explained():
            if self._format == format_2.FORMAT:
                return format_2.candidates(self._connection)
            return tables.read(self._connection)

    def finished_in(self, ranges: Sequence[tuple[int, int]]) -> list[Candidate]:
        """The recorded candidates with numbers in any of these ranges, whose ends are included, in the order in which
        they were finished."""
        with self._explained():
            if self._format == format_2.FORMAT:
                every = format_2.candidates(self._connection)
                found: Sequence[Candidate] = [
                    c for c in every if any(low <= c.number <= high for low, high in ranges)
                ]
            else:
                found = tables.read_ranges(self._connection, ranges)
        return sorted(found, key=lambda candidate: (candidate.finished, candidate.number))

    def record(self, candidates: Sequence[Candidate]) -> None:
        """Writes candidates with their outcomes, all or none.

        Raises:
            RunFileError: the file can't be written, or is gone.
        """
        self._check_still_there()
        with self._explained():
            self._begin_session()
        with self._explained(writing=True), self._connection:
            tables.insert(self._connection, candidates)

    def _check_still_there(self) -> None:
        """Raises RunFileError if the file is gone: SQLite would go on writing to a file that no one can find."""
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
        """Closes the file. ``discard`` removes it, or empties it if it existed before `create`."""
        if not discard:
            self._end_session()
            if self._lock is not None:
                access.empty_log(self._connection)
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

    def _begin_session(self) -> None:
        """Records the session and the version of a resumed search with the first thing that it writes, so that one that
        is refused leaves the file as it was."""
        if self._resumed is None:
            return
        session, self._resumed = [self._resumed, None], None
        values: dict[str, Any] = {"version": __version__}
        sessions = self._about().get("sessions", [])
        if isinstance(sessions, list):  # otherwise `about` says that the file is damaged
            values["sessions"] = [*sessions, session]
        self._write_about(values)

    def _end_session(self) -> None:
        """Records the end of this search's session. What can't be written is told of where it matters."""
        if self._lock is None or self._resumed is not None:
            return
        with suppress(sqlite3.Error, ValueError, TypeError, LookupError):
            sessions = self._about()["sessions"]
            sessions[-1][1] = time.time()
            self._write_about({"sessions": sessions})

    def _about(self) -> dict[str, Any]:
        rows = self._connection.execute("SELECT name, value FROM about").fetchall()
        return {name: parsed_json(value, f"its {name}") for name, value in rows}

    def _upgrade(self) -> None:
        """Rewrites a file of the previous format, in one transaction."""
        if self._format == tables.FORMAT:
            return
        candidates = format_2.candidates(self._connection)
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(tables.TABLE.format(name="upgraded"))
            tables.insert(self._connection, candidates, "upgraded")
            self._connection.execute("DROP TABLE candidate")
            self._connection.execute("ALTER TABLE upgraded RENAME TO candidate")
            self._connection.execute(f"PRAGMA user_version = {tables.FORMAT}")
        self._format = tables.FORMAT

    def _write_about(self, values: dict[str, Any]) -> None:
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO about VALUES (?, ?)",
                [(name, json.dumps(value)) for name, value in values.items()],
            )

    def _explained(
        self, no_room: str = access.NO_ROOM, *, writing: bool = False
    ) -> AbstractContextManager[None]:
        return access.explained(self._path, no_room, writing=writing)
