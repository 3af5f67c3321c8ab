"""How far a command is: a bar in a terminal, and a line every ten seconds elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from swapnas_ext._util import duration
from swapnas_ext.cli.loudness import is_quiet
from swapnas_ext.report.shared.text import printable
from swapnas_ext.search import Progress

_LINE = 10.0
"""Seconds between two lines, and before the first."""
_CHECKED = 0.5
"""Seconds between two looks whether a line is due."""


class Bar(RichProgress):
    """A progress bar with counts, the ``state`` of its task, and the time left.

    Where stderr is no terminal, such as in a log, it writes a line of these every ten seconds instead.

    Args:
        what: is being done, such as "searching".
        console: by default stderr.
        clock: seconds, which only grow.
        is_shown: without it, neither a bar nor a line is.
    """

    def __init__(
        self,
        what: str,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        is_shown: bool = True,
    ) -> None:
        console = Console(stderr=True) if console is None else console
        self._what = what
        self._draws = console.is_terminal and not console.is_dumb_terminal
        self._clock = clock
        self._written = clock()
        self._is_over = threading.Event()
        self._writer: threading.Thread | None = None
        super().__init__(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            _TimeLeft(),
            console=console,
            auto_refresh=self._draws,
            transient=True,
            get_time=clock,
            disable=not is_shown,
        )

    def start(self) -> None:
        if self._draws or self.disable:
            super().start()
            return
        # A thread, so that a command that waits long for one network tells that it goes on.
        self._written = self._clock()
        self._writer = threading.Thread(target=self._write_until_over, daemon=True)
        self._writer.start()

    def stop(self) -> None:
        if self._writer is None:
            super().stop()
            return
        self._is_over.set()
        self._writer.join()

    def write_if_due(self) -> None:
        """Writes a line if the last one is ten seconds old."""
        now = self._clock()
        if now - self._written < _LINE:
            return
        self._written = now
        for task in self.tasks:
            click.echo(printable(self._line(task)), err=True)

    def _write_until_over(self) -> None:
        while not self._is_over.wait(_CHECKED):
            self.write_if_due()

    def _line(self, task: Task) -> str:
        total = "" if task.total is None else f" of {task.total:,.0f}"
        left = _seconds_left(task)
        parts = [f"{task.completed:,.0f}{total}", *filter(None, [task.fields.get("state")])]
        if left is not None and not task.finished:
            parts.append(f"{duration(left)} left")
        return f"{self._what}: {', '.join(parts)}"


class _TimeLeft(ProgressColumn):
    """The time left: by the rate of the search where a task has its ``seconds_left``, otherwise as rich estimates."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        left = _seconds_left(task)
        return Text("" if left is None or task.finished else f"{duration(left)} left")


def _seconds_left(task: Task) -> float | None:
    found: float | None = task.fields.get("seconds_left", task.time_remaining)
    return found


def bar(what: str) -> Bar:
    """A progress bar, or the lines in its place; nothing if the command is quiet. Its task has a ``state``, a short
    text."""
    return Bar(what, is_shown=not is_quiet())


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[Progress], None]]:
    """Shows how far a search is. Yields the ``on_progress`` for it."""
    with bar(what) as shown:
        task = shown.add_task("", total=total, state="waiting for workers")

        def on_progress(progress: Progress) -> None:
            shown.update(
                task,
                completed=progress.done,
                total=progress.total,
                state=progress.state,
                seconds_left=progress.seconds_left,
            )

        yield on_progress
