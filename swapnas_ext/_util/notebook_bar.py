"""A progress bar in a notebook, where the code runs in the kernel of one."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, Generic, TypeVar

Progress = TypeVar("Progress")

_REDRAWN = 0.25
"""Seconds between two updates: each is a message to the browser."""


def is_notebook() -> bool:
    """Whether this code runs in a Jupyter kernel. Imports nothing."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return getattr(shell, "kernel", None) is not None


class NotebookBar:
    """A progress bar below the cell that runs. Only for use where `is_notebook`.

    Args:
        what: is being done, such as "searching".
        clock: seconds, which only grow.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        display = importlib.import_module("IPython.display").display  # there, since a kernel is
        self._what = what
        self._clock = clock
        self._drawn = clock()
        self._told = ""
        self._handle: Any = display(self._bundle(0, None), raw=True, display_id=True)

    def update(self, done: int, total: int | None, state: str) -> None:
        """Shows the state, a short text, unless the last one was shown a moment ago."""
        of_all = "" if total is None else f" of {total:,}"
        self._told = f"{done:,}{of_all}" + (f", {state}" if state else "")
        if self._clock() - self._drawn >= _REDRAWN:
            self._drawn = self._clock()
            self._handle.update(self._bundle(done, total), raw=True)

    def replace(self, result: object) -> None:
        """Puts a result in the place of the bar, as a notebook shows it; a text as it is."""
        if isinstance(result, str):
            self._show_text(result)
            return
        shown = {"text/plain": repr(result)}
        to_html = getattr(result, "_repr_html_", None)
        if to_html is not None:
            shown["text/html"] = to_html()
        self._handle.update(shown, raw=True)

    def end(self, why: str) -> None:
        """Puts a line in the place of the bar: how far it came, and why no further."""
        self._show_text(f"{self._what}: ended at {self._told or 'the start'}: {why}")

    def _show_text(self, text: str) -> None:
        shown = {"text/plain": text, "text/html": f"<div>{escape(text)}</div>"}
        self._handle.update(shown, raw=True)

    def _bundle(self, done: int, total: int | None) -> dict[str, str]:
        text = f"{self._what}: {self._told or 'starting'}"
        filled = "" if total is None else f' max="{max(total, 1)}" value="{done}"'
        html = (
            f'<div><progress style="width:16em;vertical-align:middle"{filled}></progress> '
            f"{escape(text)}</div>"
        )
        return {"text/plain": text, "text/html": html}


@dataclass
class ShownInNotebook(Generic[Progress]):
    """The progress callback to call, if any, and what takes the place of the bar at the end."""

    on_progress: Callable[[Progress], None] | None
    result: object = None


@contextmanager
def bar_in_notebook(
    what: str,
    on_progress: Callable[[Progress], None] | None,
    told: Callable[[Progress], tuple[int, int | None, str]],
) -> Iterator[ShownInNotebook[Progress]]:
    """In a notebook, and without a callback of the user's, shows a bar. At the end the ``result`` that the block has
    set takes its place, or a line if the block raises.

    Args:
        what: is being done, such as "searching".
        told: how much is done, of how much, and the state in a few words.
    """
    if on_progress is not None or not is_notebook():
        yield ShownInNotebook(on_progress)
        return
    bar = NotebookBar(what)
    shown: ShownInNotebook[Progress] = ShownInNotebook(lambda progress: bar.update(*told(progress)))
    try:
        yield shown
    except BaseException as error:
        bar.end(type(error).__name__)
        raise
    bar.replace(shown.result)
