"""Shows how far a search is by itself, where it runs in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from swapnas_ext._util import ShownInNotebook, bar_in_notebook
from swapnas_ext.search.progress import Progress


def shown_in_notebook(
    what: str, on_progress: Callable[[Progress], None] | None
) -> AbstractContextManager[ShownInNotebook[Progress]]:
    """As `bar_in_notebook`, for a search."""
    return bar_in_notebook(
        what, on_progress, lambda progress: (progress.done, progress.total, progress.state)
    )
