"""Makes threads that score take turns."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.RLock()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """A context that one thread of the process is in at a time. All threads share torch's random state, and the modes
    that a model is scored in."""
    with _lock:
        yield


def _renew() -> None:
    """The thread that held the lock does not exist in a forked process."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
