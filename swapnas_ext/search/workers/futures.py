"""Waits for futures, also for those of other libraries."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, wait
from contextlib import suppress
from typing import Any

from swapnas_ext._util import ctrl_c_later

_LISTEN_EVERY = 0.1  # seconds between looks at Ctrl-C, and at futures without callbacks


def first_ended(futures: Collection[Future[Any]], timeout: float = math.inf) -> set[Future[Any]]:
    """Waits until at least one future has ended, or for ``timeout`` seconds. Ctrl-C is held back while Python's own
    function waits: it would leave locks behind, and threads that never end."""
    deadline = time.monotonic() + timeout
    while True:
        with ctrl_c_later():
            for future in futures:
                if isinstance(future, _Copy):
                    future.look()
            ended, _ = wait(futures, timeout=_LISTEN_EVERY, return_when=FIRST_COMPLETED)
        if ended or time.monotonic() > deadline:
            return ended


def as_future(future: Any) -> Future[Any]:
    """A future that Python's own functions can wait for. A future of another library needs ``result`` and ``done``;
    with ``add_done_callback`` its end is noticed at once.

    Raises:
        TypeError: the future lacks ``result`` or ``done``.
    """
    if isinstance(future, Future):
        return future
    for method in ("result", "done"):
        if not callable(getattr(future, method, None)):
            raise TypeError(f"expected a future with result and done, got {type(future).__name__}")
    return _Copy(future)


class _Copy(Future[Any]):
    """Ends when a future of another library ends, with the same result."""

    def __init__(self, original: Any) -> None:
        super().__init__()
        self._original = original
        self._calls_back = hasattr(original, "add_done_callback")
        if self._calls_back:
            original.add_done_callback(lambda _: self._take())

    def look(self) -> None:
        if self.done() or not self._original.done():
            return
        # A node can be lost between the end of its task and the moment that its result is fetched. Dask then computes
        # it again, and `result` waits for that: the thread that calls back may, but not this one, which has to notice
        # that no node is left.
        if not self._calls_back or self._is_cancelled():
            self._take()

    def _is_cancelled(self) -> bool:
        return hasattr(self._original, "cancelled") and bool(self._original.cancelled())

    def _take(self) -> None:
        with suppress(InvalidStateError):  # another thread has taken it
            try:
                result = self._original.result()
            except BaseException as error:
                self.set_exception(error)
            else:
                self.set_result(result)
