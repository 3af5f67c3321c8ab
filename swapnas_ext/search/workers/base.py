"""The interface of a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, runtime_checkable

from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.evaluation import Evaluator


class Worker(Protocol):
    """Scores networks, in one place. `swapnas_ext.testing.check_worker` checks a worker. It may also have ``check``:
    see `CheckedWorker`."""

    depth: int
    """The number of parts that the worker holds: one that it works on, and those that wait."""

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        """Starts to score architectures. The future gives one outcome for each, in their order; none for none. A
        network that fails is an outcome with an ``error``. If the worker itself fails, the future ends with an
        exception.

        A worker gets no architectures first, and others once it has answered. So one that takes long to start should
        not answer before it can score.

        The future may be of another library, with ``result``, ``done`` and perhaps ``add_done_callback``."""

    def revive(self, error: BaseException) -> bool:
        """If this error of a future means that the worker died: starts it anew, and returns True. The crew hands
        out again what the worker held. Otherwise returns False, and the error ends the search."""

    def close(self) -> None:
        """Ends the worker, even while it works. May be called twice."""


@runtime_checkable
class CheckedWorker(Worker, Protocol):
    """A worker that depends on more than itself, such as the nodes of a cluster."""

    def check(self) -> None:
        """Called about twice a second while the search waits. Raises RuntimeError if nobody works for it any more,
        so that the search ends rather than waits for ever."""


WorkerFactory = Callable[[Evaluator], Any]
"""Makes workers from an evaluator, which scores a list of architectures: a `Worker`, a sequence of them, or anything
else that ``workers=`` takes."""


def is_worker(thing: object) -> bool:
    methods = ("submit", "revive", "close")
    return hasattr(thing, "depth") and all(callable(getattr(thing, m, None)) for m in methods)
