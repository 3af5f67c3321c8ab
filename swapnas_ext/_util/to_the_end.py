"""Finishes what must be finished, even where Ctrl-C comes in between."""

from __future__ import annotations

from collections.abc import Callable


def to_the_end(action: Callable[[], object]) -> None:
    """Runs an action that has the same effect when it runs twice. Where it is interrupted it runs once more, and then
    the interruption goes on."""
    try:
        action()
    except BaseException:  # such as Ctrl-C
        action()
        raise
