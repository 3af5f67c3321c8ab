"""Delays or ignores Ctrl-C where it must not interrupt."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def is_main_thread() -> bool:
    """Whether this is the main thread, the only one that may set what Ctrl-C does."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def ctrl_c_later() -> Iterator[None]:
    """Delays a Ctrl-C until the block ends.

    Processes that the block starts never get a Ctrl-C: the process that started them ends them.
    """
    if not is_main_thread():
        yield
        return
    delayed: list[tuple[Any, ...]] = []
    before = signal.signal(signal.SIGINT, lambda *call: delayed.append(call))
    mask = _block_in_new_processes()
    try:
        yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
        if delayed and callable(before):
            before(*delayed[0])


def _block_in_new_processes() -> set[int | signal.Signals] | None:
    """Blocks Ctrl-C; new processes inherit this. Returns the signals that were blocked before, or None where
    the system can't block signals."""
    if not hasattr(signal, "pthread_sigmask"):
        return None
    return signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@contextmanager
def ctrl_c_ignored() -> Iterator[None]:
    """Ignores Ctrl-C during the block, which should be short and has to be completed."""
    if not is_main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
