"""Shows how far a search is by itself, where it runs in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from swapnas_ext._util import NotebookBar, is_notebook
from swapnas_ext.search.progress import Progress

OnProgress = Callable[[Progress], None]


@dataclass
class Shown:
    """The progress callback of a search, and where its result goes."""

    on_progress: OnProgress | None
    result: Any = None


@contextmanager
def shown_in_notebook(what: str, on_progress: OnProgress | None) -> Iterator[Shown]:
    """In a notebook, and without a callback of the user's, shows a bar. The ``result`` replaces it at the end; if there
    is none, or an error, a line does."""
    if on_progress is not None or not is_notebook():
        yield Shown(on_progress)
        return
    bar = NotebookBar(what)
    shown = Shown(lambda progress: bar.update(progress.done, progress.total, _state(progress)))
    try:
        yield shown
    except BaseException as error:
        bar.end(type(error).__name__)
        raise
    bar.replace(shown.result)


def _state(progress: Progress) -> str:
    parts = []
    if progress.best is not None:
        parts.append(f"best {progress.best.score:.6g}")
    if progress.rate:
        parts.append(f"{progress.rate:.3g} candidates/s")
    for count, what in ((progress.failed, "without a score"), (progress.over, "beyond a limit")):
        if count:
            parts.append(f"{count:,} {what}")
    if progress.looking:
        parts.append("looking for new architectures")
    return ", ".join(parts)
