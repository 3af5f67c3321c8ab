"""What a worker is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.evaluation import Evaluator


class Worker(Protocol):
    """One place where networks are scored. `swapnas_ext.testing.check_worker` checks one."""

    depth: int
    """The number of parts that it holds at a time: one that it works on, and those that wait for it."""

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        """Has architectures scored: one outcome for each, in their order; none for none. What goes wrong with
        a network is an outcome with an ``error``; a future that ends with an exception is the worker's own
        failure.

        Futures of other libraries will do: with ``result``, ``done`` and, where there is one,
        ``add_done_callback``."""

    def revive(self, error: BaseException) -> bool:
        """Starts the worker anew where this error of a future says that it died; everything that it held is
        lost then, and handed out again. Returns False where the error says something else: it ends the
        search."""

    def close(self) -> None:
        """Ends the worker, whatever it works on. May be called twice."""


WorkerFactory = Callable[[Evaluator], Any]
"""Makes workers that score with an evaluator, which is called with a list of architectures and returns their
outcomes: a `Worker`, a sequence of them, or whatever else ``workers=`` takes."""


def is_worker(thing: object) -> bool:
    methods = ("submit", "revive", "close")
    return hasattr(thing, "depth") and all(callable(getattr(thing, m, None)) for m in methods)
