"""What commands write: stdout has results alone, and files are checked at the start, and replaced as a whole at the
end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path

from swapnas_ext._util import is_replaceable, replacing, temporary_beside


@contextmanager
def own_prints() -> Iterator[None]:
    """What a space or a model of one's own prints meanwhile goes to stderr, not between the results."""
    with redirect_stdout(sys.stderr):
        yield


def check_writable(path: Path, option: str, inputs: Iterable[tuple[Path | None, str]] = ()) -> None:
    """Raises ValueError if no file can be written at the path, or if it would overwrite one of the command's inputs.

    Args:
        inputs: with what each is.
    """
    try:
        if path.is_dir():
            raise ValueError(f"{option} {path} is a folder: give the name of a file")
        if not path.parent.is_dir():
            raise ValueError(f"{option} {path}: there is no folder {path.parent}")
        with suppress(FileNotFoundError):
            path.stat()  # names may be too long, or lead in a circle
        if is_replaceable(path):
            temporary_beside(path).unlink()
        elif not os.access(path, os.W_OK):
            raise PermissionError("it is there, and write-protected")
    except OSError as error:
        raise ValueError(f"{option} {path} can't be written: {error.strerror or error}") from error
    for given, what in inputs:
        if given is not None and path.resolve() == given.resolve():
            raise ValueError(f"{option} {path} would overwrite {what}: choose another name")


def check_page(html: Path, runs: Iterable[Path]) -> None:
    """Raises ValueError if no page can be written at the path, or if it would overwrite one of the run files."""
    check_writable(html, "--html", [(run, "a run file") for run in runs])


def write(path: Path, text: str) -> None:
    """Writes the whole text, or leaves the file as it is.

    Raises:
        OSError: the file can't be written. Names the path.
    """
    try:
        with replacing(path) as file:
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OSError(f"can't write {path}: {error.strerror or error}") from error
