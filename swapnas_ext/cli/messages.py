"""What commands say of errors and of scores that need care."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import click

from swapnas_ext.cli.loudness import is_quiet, write_note
from swapnas_ext.correlation import Standing, caveats
from swapnas_ext.report.shared.text import printable_lines
from swapnas_ext.search import Candidate, Ranked

EXPECTED = (ValueError, TypeError, ImportError, OSError, RuntimeError, AssertionError)
"""Errors that end a command with one sentence, without a traceback. Torch asserts that it has CUDA."""


class CommandError(click.ClickException):
    """The command can't do what it was asked for. Its exit code is not 1, which is Python's own for errors that nobody
    expected."""

    exit_code = 2


def fail(error: BaseException) -> NoReturn:
    raise CommandError(printable_lines(str(error))) from error


def tell(note: str) -> None:
    """Prints a note or a hint to stderr, unless the command is quiet. Lines that begin with a blank hold something to
    copy, such as a command, and are not broken."""
    if not is_quiet():
        write_note(note)


def tell_end(why: str) -> None:
    """Prints to stderr why a command ends before its work is done, quiet or not."""
    write_note(why)


def tell_caveats(networks: Iterable[Candidate | Ranked | Standing]) -> None:
    """Prints where these scores are known to be weak, and what to do: a line for each reason."""
    for line in caveats(networks):
        tell(line)
