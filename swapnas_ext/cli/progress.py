"""Progress bars."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from swapnas_ext.search import Progress


def bar(what: str) -> Bar:
    """A progress bar with counts, the ``state`` of its task, and the time left."""
    return Bar(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[Progress], None]]:
    """Shows a progress bar. Yields the ``on_progress`` for a search."""
    start = time.perf_counter()
    with bar(what) as shown:
        task = shown.add_task("", total=total, state="starting")

        def on_progress(progress: Progress) -> None:
            rate = progress.scored / (time.perf_counter() - start)
            parts = [f"{rate:.0f} candidates/s"]
            if progress.best is not None:
                parts.insert(0, f"best {progress.best.score:.6g}")
            if progress.failed:
                parts.append(f"{progress.failed} without a score")
            if progress.over:
                parts.append(f"{progress.over} beyond the limits")
            if progress.looking:
                parts.append(
                    f"looking for new architectures: {progress.looking:,} in a row were known or too large"
                )
            shown.update(
                task, completed=progress.done, total=progress.total, state=", ".join(parts)
            )

        yield on_progress
