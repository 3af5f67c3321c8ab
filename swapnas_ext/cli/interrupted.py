"""How commands end after Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""The exit code, as shells have it."""

_ONE_CTRL_C = 1.0  # seconds


@contextmanager
def ctrl_c_once() -> Iterator[None]:
    """Ctrl-C again and again, within a second, is one: the command is about to end."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or not _is_main_thread():
        yield
        return
    last = float("-inf")

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        if time.monotonic() - last > _ONE_CTRL_C:
            last = time.monotonic()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def finish_after_ctrl_c() -> None:
    """What is left to do is to write what there is, and to end: another Ctrl-C must not spoil that."""
    if _is_main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
