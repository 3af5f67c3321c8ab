"""Replaces files as a whole: a file is there completely, or as it was before."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields the path of an empty file to write. It takes the place of ``path`` at the end, or vanishes after an error.

    What can't be replaced, such as a pipe or a write-protected file, is yielded itself.

    Raises:
        OSError: the file can't be written.
    """
    if not is_replaceable(path):
        yield path
        return
    temporary = temporary_beside(path)
    try:
        yield temporary
        temporary.chmod(_mode(path))
        temporary.replace(path.resolve())  # a link stays one
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def is_replaceable(path: Path) -> bool:
    """Whether a new file can take the place of the old one. This excludes terminals, pipes and devices, write-protected
    files, and files in write-protected folders."""
    if path.exists():
        return (
            path.is_file()
            and os.access(path, os.W_OK)
            and os.access(path.resolve().parent, os.W_OK)
        )
    return True


def temporary_beside(path: Path) -> Path:
    """Makes an empty file beside the path, with the same ending."""
    handle, name = tempfile.mkstemp(
        prefix=".swapnas-", suffix=f".part{path.suffix}", dir=path.resolve().parent
    )
    os.close(handle)
    return Path(name)


def _mode(path: Path) -> int:
    """The permissions of the old file, or those of a new one."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
