"""Follows a run file that a search is writing: reads only what is new."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swapnas_ext.search.candidate import Candidate
from swapnas_ext.search.run_file import RunFile
from swapnas_ext.search.run_file_access import RunFileError, is_locked, is_taken, log_of

_LAST = 2**63 - 1  # of SQLite's integers
_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class News:
    """What is new in a run file.

    Attributes:
        about: as `RunFile.about` has it.
        candidates: those that were recorded since the last look, in the order in which they were finished.
        is_other: whether it is another run than at the last look, or the first one: what was known of the last is void.
        is_written: whether a search is writing to the file; None if that can't be found out.
    """

    about: dict[str, Any]
    candidates: list[Candidate]
    is_other: bool
    is_written: bool | None


@dataclass
class _Unread:
    """The ranges of numbers that candidates have not been read of: the gaps between those read, and all above. A search
    finishes candidates in another order than that of their numbers."""

    ranges: list[tuple[int, int]] = field(default_factory=lambda: [(0, _LAST)])

    def remove(self, numbers: list[int]) -> None:
        left = []
        taken = iter(sorted(numbers))
        number = next(taken, None)
        for low, high in self.ranges:
            while number is not None and number <= high:
                if low < number:
                    left.append((low, number - 1))
                low = number + 1
                number = next(taken, None)
            if low <= high:
                left.append((low, high))
        self.ranges = left


class RunFileFollower:
    """Reads what is new in a run file, again and again, while a search writes to it.

    A look at an unchanged file opens nothing. Between two looks no file is open, so that a search that ends meanwhile
    leaves one file behind, as it does without a reader.

    Args:
        path: of the run file, which need not be there yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._stamp: _Stamp = ()
        self._run: tuple[int, object] | None = None
        self._unread = _Unread()
        self._about: dict[str, Any] = {}
        self._failed = False

    def look(self) -> News | None:
        """What is new; None if there is no run file, or one that a search is just making.

        Raises:
            RunFileError: not a run file, or a damaged one.
            OSError: the file can't be read.
        """
        try:
            if not is_taken(self.path):
                return None
            stamp = self._stamp_now()
            if stamp == self._stamp and self._run is not None:
                return self._nothing_new()
            news = self._read()
        except FileNotFoundError:  # removed meanwhile
            return None
        except RunFileError:
            # A file that is just being made, or whose log is just being removed, can't be read for a moment.
            if self._failed:
                raise
            self._failed = True
            return None if self._run is None else self._nothing_new()
        self._stamp, self._failed = stamp, False
        return news

    def _nothing_new(self) -> News:
        return News(self._about, [], False, self._is_written())

    def _read(self) -> News:
        inode = self.path.stat().st_ino
        same_file = self._run is not None and inode == self._run[0]
        with RunFile.read(self.path, check_pages=not same_file) as run_file:
            self._about = run_file.about
            run = inode, self._about.get("started")  # inodes are used again
            is_other = run != self._run
            if is_other:
                self._unread = _Unread()
            candidates = run_file.finished_in(self._unread.ranges)
        self._run = run
        self._unread.remove([candidate.number for candidate in candidates])
        is_written = True if candidates and not is_other else self._is_written()
        return News(self._about, candidates, is_other, is_written)

    def _is_written(self) -> bool | None:
        return is_locked(self.path.resolve())

    def _stamp_now(self) -> _Stamp:
        """Changes when the file or its log is written to, or replaced."""
        path = self.path.resolve()
        found = [path.stat()]
        if log_of(path).exists():
            found.append(log_of(path).stat())
        return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in found)
