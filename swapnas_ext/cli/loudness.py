"""``--quiet`` and ``--verbose``: how much a command tells on stderr beside its result."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

import click

from swapnas_ext.report.shared.text import printable_lines, terminal_width, wrapped

_ASKED = "swapnas_ext.loudness"
_PACKAGE = __name__.partition(".")[0]


class Loudness(Enum):
    QUIET = "quiet"
    """Errors alone."""
    NORMAL = "normal"
    """Progress, notes, hints and warnings too."""
    VERBOSE = "verbose"
    """And log lines, with their time."""


_LEVELS = {
    Loudness.QUIET: logging.ERROR,
    Loudness.NORMAL: logging.WARNING,
    Loudness.VERBOSE: logging.DEBUG,
}
_now = Loudness.NORMAL


def is_quiet() -> bool:
    """Whether the command that runs tells its results and errors alone."""
    return _now is Loudness.QUIET


def options() -> list[click.Option]:
    """``--quiet`` and ``--verbose``."""
    return [
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_ask,
            help="Prints results and errors alone: no progress, notes and hints.",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            callback=_ask,
            help="Also prints what happens meanwhile, with the time, to stderr.",
        ),
    ]


def _ask(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        name = str(parameter.name)
        on_line = context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT_MAP
        given: dict[str, bool] = context.meta.setdefault(_ASKED, {})
        given[name] = on_line or given.get(name, False)


def asked(context: click.Context) -> Loudness:
    """What was asked for, before or after the name of the command. Options of the command line go before those of a
    file.

    Raises:
        UsageError: both were asked for.
    """
    given: dict[str, bool] = context.meta.get(_ASKED, {})
    names = [name for name, on_line in given.items() if on_line] or list(given)
    if len(names) > 1:
        raise click.UsageError("give one of --quiet and --verbose", context)
    return Loudness(names[0]) if names else Loudness.NORMAL


@contextmanager
def told(loudness: Loudness) -> Iterator[None]:
    """Shows log lines and warnings of the block as asked for."""
    global _now
    logger = logging.getLogger(_PACKAGE)
    before = _now, logger.level
    handler = _Handler(_LEVELS[loudness])
    _now = loudness
    if loudness is Loudness.VERBOSE:
        logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    original = warnings.showwarning
    warnings.showwarning = _show_warning
    try:
        yield
    finally:
        warnings.showwarning = original
        logger.removeHandler(handler)
        _now, level = before
        logger.setLevel(level)


def write_note(text: str) -> None:
    """Writes to stderr, as wide as its terminal. Lines that begin with a blank hold something to copy."""
    click.echo(printable_lines(wrapped(text, terminal_width(sys.stderr))), err=True)


class _Handler(logging.Handler):
    """Writes log lines to stderr: above a progress bar, where there is one."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        )

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if _now is Loudness.VERBOSE:
                click.echo(printable_lines(self.format(record)), err=True)
            else:
                write_note(f"{record.levelname.lower()}: {record.getMessage()}")
        except Exception:
            self.handleError(record)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    """Takes the place of `warnings.showwarning`, which names a line of code: users of a command did not write it."""
    if _now is Loudness.VERBOSE:
        write_note(f"warning: {filename}:{lineno}: {category.__name__}: {message}")
    elif not is_quiet():
        write_note(f"warning: {message}")
