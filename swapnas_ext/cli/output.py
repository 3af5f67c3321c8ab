"""Files that commands write. They are checked at the start, and replaced as a whole at the end."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def check_writable(path: Path, option: str) -> None:
    """Raises ValueError if no file can be written at the path."""
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
    """Writes the whole text, or leaves the file as it is.

    Raises:
        OSError: the file can't be written. Names the path.
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
    """Whether a new file can take the place of the old one. This excludes terminals, pipes and devices, write-protected
    files, and files in write-protected folders."""
    if path.exists():
        return (
            path.is_file()
            and os.access(path, os.W_OK)
            and os.access(path.resolve().parent, os.W_OK)
        )
    return True


def _temporary(path: Path) -> Path:
    """Makes an empty file beside the path."""
    handle, name = tempfile.mkstemp(prefix=".swapnas-", suffix=".part", dir=path.resolve().parent)
    os.close(handle)
    return Path(name)


def _mode(path: Path) -> int:
    """The permissions of the old file, or those of a new one."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
