"""``swapnas show --watch``: a live view of a search."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.live import Live

from swapnas_ext.report.live.model import LiveRun, State
from swapnas_ext.report.live.terminal import LiveView
from swapnas_ext.report.live.words import one_line
from swapnas_ext.report.shared.text import printable
from swapnas_ext.search import RunFileError, RunFileFollower

_REDRAWN = 1.0
"""Seconds between two looks, in a terminal."""
_LINE = 10.0
"""Seconds between two lines, where there is no terminal."""
_LOOKS = 1.0
"""Seconds between two looks for the end of the search, where there is no terminal."""
_GRACE = 20.0
"""Seconds for which no search may hold the file, where there is no terminal: one that resumes it takes a while to
start."""


def watch(path: Path, top: int) -> None:
    """Shows the search that writes a run file, until it has ended, or until Ctrl-C.

    Raises:
        ValueError: there can't be a run file at the path.
        RunFileError: not a run file, or it is removed meanwhile.
    """
    check_may_be_run_file(path)
    console = Console(highlight=False)
    try:
        if console.is_terminal and not console.is_dumb_terminal:
            state = in_terminal(path, LiveRun(top), console)
        else:
            state = as_lines(path, LiveRun(top), lambda line: console.print(line, soft_wrap=True))
    except KeyboardInterrupt:  # as users end a viewer
        return
    if state is State.GONE:
        raise RunFileError(
            f"{path} was removed while it was watched: a search that fails before anything is scored removes its file"
        )


def check_may_be_run_file(path: Path) -> None:
    """Raises ValueError if no run file can be or come to be at the path."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file: give the run file of a search")
    if not path.resolve().parent.is_dir():
        raise ValueError(f"there is no run file {path}, and no folder {path.resolve().parent}")


def in_terminal(
    path: Path, run: LiveRun, console: Console, *, sleep: Callable[[float], None] = time.sleep
) -> State:
    """Draws the view every second until the search has ended; returns its state then. The best architectures follow,
    each in a line of its own, to copy."""
    follower = RunFileFollower(path)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            replaced = run.replaced
            run.take(follower.look())
            if run.replaced > replaced:
                live.console.print(f"{path} is another run now")
            live.update(LiveView(run, str(path), time.time()), refresh=True)
            if run.state in (State.ENDED, State.GONE):
                break
            sleep(_REDRAWN)
    if run.state is State.ENDED:  # the view has broken them
        for row in [row for _, _, row in run.family] or run.best[:1]:
            console.out(printable(row.architecture), highlight=False)
    return run.state


def as_lines(
    path: Path,
    run: LiveRun,
    write: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> State:
    """Writes a line at once, every ten seconds, and when the state changes. Returns the state when the search has
    ended, or is not resumed after it has stopped."""
    follower = RunFileFollower(path)
    written, at_work = None, clock()
    while True:
        state, replaced = run.state, run.replaced
        run.take(follower.look())
        now = clock()
        if run.state is not State.STOPPED:
            at_work = now
        is_over = run.state in (State.ENDED, State.GONE) or now - at_work >= _GRACE
        if run.replaced > replaced:
            write(f"{path} is another run now")
        if written is None or now - written >= _LINE or is_over or run.state is not state:
            write(one_line(run, str(path), now))
            written = now
        if is_over:
            return run.state
        sleep(_LOOKS)
