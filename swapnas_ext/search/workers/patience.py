"""Ends a search that nobody works for any more."""

from __future__ import annotations

import time


class Patience:
    """Raises once nobody has worked for some time.

    Args:
        seconds: how long to wait.
        problem: what is wrong meanwhile, for the error: ``"no Dask worker is connected to tcp://head:8786"``.
    """

    def __init__(self, seconds: float, problem: str) -> None:
        self._seconds = seconds
        self._problem = problem
        self._last_present = time.monotonic()

    def note(self, present: bool) -> None:
        """Takes down whether anybody works at present.

        Raises:
            ConnectionError: nobody has for too long.
        """
        now = time.monotonic()
        if present:
            self._last_present = now
        elif now - self._last_present > self._seconds:
            raise ConnectionError(f"for {self._seconds:g} s, {self._problem}; {GO_ON}")


GO_ON = "a run file has all scores so far, and can be resumed with these or other workers"
"""What errors say where a search loses all of its workers."""
