"""Ctrl-C where it may not come at any moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def is_main_thread() -> bool:
    """The only one that may say what Ctrl-C does."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def ctrl_c_later() -> Iterator[None]:
    """A Ctrl-C meanwhile comes afterwards. Processes that are started meanwhile do not get any: it is for the one
    that started them, which ends them."""
    if not is_main_thread():
        yield
        return
    came: list[tuple[Any, ...]] = []
    before = signal.signal(signal.SIGINT, lambda *call: came.append(call))
    mask = _blocked()
    try:
        yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
        if came and callable(before):
            before(*came[0])


def _blocked() -> set[signal.Signals] | None:
    """Blocks Ctrl-C, which processes that are started inherit; what was blocked before, or None where there is no
    such thing."""
    if not hasattr(signal, "pthread_sigmask"):
        return None
    return signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@contextmanager
def ctrl_c_ignored() -> Iterator[None]:
    """For what ends soon, and has to be done."""
    if not is_main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
