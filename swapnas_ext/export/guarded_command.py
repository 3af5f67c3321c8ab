"""Runs a command without a shell, for some seconds at most, and never longer than this process lives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from swapnas_ext.export import guard

_END = 64_000
"""Bytes of an output that are read, from its end."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code, or the number of the signal that ended it, negative; None if it was ended after its time.
        output, errors: the ends of its standard output and its standard error.
    """

    code: int | None
    output: str
    errors: str


def run(command: Sequence[str], seconds: float, folder: Path) -> Ended:
    """Runs a command, with all that it starts in a group of processes that ends with it.

    Args:
        command: the program and its arguments.
        seconds: after them the group is killed.
        folder: for files with the outputs.

    Raises:
        OSError: the program can't be started.
    """
    output, errors = folder / "output", folder / "errors"
    # -I and -S: without the user's own modules, and without site-packages. It starts in a hundredth of a second.
    line = [sys.executable, "-I", "-S", guard.__file__, str(seconds), str(output), str(errors)]
    with subprocess.Popen(
        [*line, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            told = process.stdout.read()
        finally:
            process.stdin.close()
    ended = json.loads(told) if told else -9  # the guard was killed
    if isinstance(ended, str):
        raise OSError(f"{command[0]} can't be started: {ended}")
    return Ended(ended, _end_of(output), _end_of(errors))


def _end_of(file: Path) -> str:
    with file.open("rb") as content:
        content.seek(max(0, file.stat().st_size - _END))
        return content.read().decode("utf-8", "replace")
