"""How commands end after Ctrl-C."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from swapnas_ext._util import is_main_thread

INTERRUPTED = 130
"""The exit code after Ctrl-C, as in shells."""

_ONE_CTRL_C = 1.0  # seconds


@contextmanager
def ctrl_c_once() -> Iterator[None]:
    """Within a second, several Ctrl-C count as one: the command is about to end."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or not is_main_thread():
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
    """Ignores Ctrl-C from now on, so that the command can write its results and end."""
    if is_main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
