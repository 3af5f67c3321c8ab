"""Files that commands write: found out at the start whether they can be, and replaced as a whole at the end."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def check_writable(path: Path, option: str) -> None:
    """Raises ValueError where a file can't be written there."""
    try:
        if path.is_dir():
            raise ValueError(f"{option} {path} is a folder: give the name of a file")
        if not path.parent.is_dir():
            raise ValueError(f"{option} {path}: there is no folder {path.parent}")
        with suppress(FileNotFoundError):
            path.stat()  # names may be too long, or lead in a circle
        if _is_replaceable(path):
            _temporary(path).unlink()
        elif not os.access(path, os.W_OK):
            raise PermissionError("it is there, and write-protected")
    except OSError as error:
        raise ValueError(f"{option} {path} can't be written: {error.strerror or error}") from error


def write(path: Path, text: str) -> None:
    """Writes all of it, or leaves what is there.

    Raises:
        OSError: it can't be written; says the path.
    """
    try:
        if not _is_replaceable(path):
            path.write_text(text, encoding="utf-8")
            return
        temporary = _temporary(path)
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.chmod(_mode(path))
            temporary.replace(path.resolve())  # a link stays one
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(f"can't write {path}: {error.strerror or error}") from error


def _is_replaceable(path: Path) -> bool:
    """Not so: terminals, pipes, devices; what is write-protected; and files of folders that are."""
    if path.exists():
        return (
            path.is_file()
            and os.access(path, os.W_OK)
            and os.access(path.resolve().parent, os.W_OK)
        )
    return True


def _temporary(path: Path) -> Path:
    """An empty file beside it."""
    handle, name = tempfile.mkstemp(prefix=".swapnas-", suffix=".part", dir=path.resolve().parent)
    os.close(handle)
    return Path(name)


def _mode(path: Path) -> int:
    """Permissions of the file that is there, or of a new one."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
