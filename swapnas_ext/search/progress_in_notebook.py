"""Shows how far a search is by itself, where it runs in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from swapnas_ext._util import ShownInNotebook, bar_in_notebook
from swapnas_ext.search.progress import Progress

_LOOKING = 20
"""Draws in vain from which on a bar tells of them."""


def shown_in_notebook(
    what: str, on_progress: Callable[[Progress], None] | None
) -> AbstractContextManager[ShownInNotebook[Progress]]:
    """As `bar_in_notebook`, for a search."""
    return bar_in_notebook(
        what, on_progress, lambda progress: (progress.done, progress.total, _state(progress))
    )


def _state(progress: Progress) -> str:
    parts = []
    if progress.best is not None:
        parts.append(f"best {progress.best.score:.6g}")
    if progress.rate:
        parts.append(f"{progress.rate:.3g} candidates/s")
    for count, what in ((progress.failed, "without a score"), (progress.over, "beyond a limit")):
        if count:
            parts.append(f"{count:,} {what}")
    if progress.looking >= _LOOKING:
        parts.append("looking for new architectures")
    return ", ".join(parts)
