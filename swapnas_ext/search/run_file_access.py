"""Opens and locks run files, and explains SQLite's errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

NO_ROOM = "; what is recorded is safe: make room, and continue with --resume"
NO_ROOM_YET = "; nothing is recorded yet: make room, or choose another place"


_LONGER_THAN_IS_LOCKED = 0.2  # seconds


class RunFileError(RuntimeError):
    """A run file can't be used, or can no longer be written."""


def is_taken(path: str | Path) -> bool:
    """Whether there is something at the path. An empty file counts as nothing."""
    path = Path(path)
    return path.exists() and path.stat().st_size > 0


@contextmanager
def explained(
    path: Path | None, no_room: str = NO_ROOM, *, writing: bool = False
) -> Iterator[None]:
    """Turns SQLite's errors into a `RunFileError` that names the file and says what to do. Unless the file is being
    written, a ValueError or TypeError means that its content is damaged."""
    try:
        yield
    except sqlite3.Error as error:
        raise RunFileError(f"{path}: {error}{_advice(error, no_room)}") from error
    except (ValueError, TypeError) as error:
        if writing:
            raise
        raise RunFileError(f"{path} is damaged: {error}") from error


def _advice(error: sqlite3.Error, no_room: str) -> str:
    text = str(error)
    if "readonly" in text:
        return "; a search has to write to it: make the file and its folder writable"
    if "full" in text or "disk I/O" in text:
        return no_room
    if "not a database" in text or "malformed" in text or "no such" in text:
        return "; it is not a run file of swapnas, or a damaged one"
    return ""


def log_of(path: Path) -> Path:
    """SQLite's write-ahead log of a file."""
    return path.with_name(path.name + "-wal")


def empty_log(connection: sqlite3.Connection) -> None:
    """Moves all of the log into the file. When a file is closed that others are reading, SQLite leaves this to no one,
    and a copy of the file alone would lack what is in the log."""
    with suppress(sqlite3.Error):  # what is in the log is safe there too
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def existing(path: str | Path) -> Path:
    """The file itself: links are followed. Raises FileNotFoundError."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no run file {path}")
    return path.resolve()


def connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    try:
        return sqlite3.connect(uri, uri=True, timeout=10)
    except sqlite3.Error as error:
        raise RunFileError(f"can't open {path}: {error}") from error


def locked(path: Path) -> FileLock:
    """The lock of a file, which one search at a time holds. Raises RunFileError if another search holds it."""
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=_LONGER_THAN_IS_LOCKED)
    except Timeout:
        raise RunFileError(f"another search is writing to {path}") from None
    except OSError as error:
        raise RunFileError(f"can't write beside {path}: {error}") from error
    return lock


def is_locked(path: Path) -> bool | None:
    """Whether a search is writing to a file; None if that can't be found out. Holds the lock for a moment."""
    lock_file = path.with_name(path.name + ".lock")
    if not lock_file.exists():
        return False
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # may not be opened, such as that of another user
        return None
    lock.release()
    return False
