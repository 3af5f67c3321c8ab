"""What commands say of errors and of scores that need care."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import click

from swapnas_ext.scoring import mixed_text

EXPECTED = (ValueError, TypeError, ImportError, OSError, RuntimeError, AssertionError)
"""Errors that end a command with one sentence, without a traceback. Torch asserts that it has CUDA."""


class CommandError(click.ClickException):
    """The command can't do what it was asked for. Its exit code is not 1, which is Python's own for errors that nobody
    expected."""

    exit_code = 2


def fail(error: BaseException) -> NoReturn:
    raise CommandError(str(error)) from error


def tell_mixed(ternary: Iterable[bool | None]) -> None:
    """Prints a warning if scores of binary and of ternary patterns are ranked together."""
    kinds = list(ternary)
    if True in kinds and False in kinds:
        click.echo(mixed_text(f"{kinds.count(True):,}", f"{kinds.count(False):,}"), err=True)


def tell_saturated(saturated: Iterable[bool]) -> None:
    """Prints a warning if some of these scores are saturated."""
    values = list(saturated)
    if any(values):
        click.echo(
            f"{sum(values):,} of {len(values):,} are saturated, and not told apart well: more --samples "
            "would tell them apart",
            err=True,
        )
