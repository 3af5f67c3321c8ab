"""A worker that submits to an executor of the caller."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.workers.futures import as_future
from swapnas_ext.search.workers.travel import Portable

_PLACES = 4  # assumed of an executor that does not say how many it has


class ExecutorWorker:
    """Submits to an executor of the caller, which stays open. The executor is of `concurrent.futures`, of Dask
    (``client.get_executor()``, or the client itself), of submitit, or any object whose ``submit(function, argument)``
    returns a future. The evaluator is sent with every part.

    Args:
        evaluator: scores the networks.
        executor: runs the evaluator.
        depth: number of parts that are submitted at a time. Default: two for each place of the executor.
    """

    def __init__(self, evaluator: Portable, executor: Any, depth: int | None = None) -> None:
        self._evaluator = evaluator
        self._executor = executor
        self.depth = 2 * _places(executor) if depth is None else depth

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        if not architectures:  # saves a job
            future: Future[list[Outcome]] = Future()
            future.set_result([])
            return future
        return as_future(self._executor.submit(self._evaluator, list(architectures)))

    def revive(self, error: BaseException) -> bool:
        return False  # a broken executor can't be repaired here

    def close(self) -> None:
        pass


def is_executor(thing: object) -> bool:
    return callable(getattr(thing, "submit", None))


def _places(executor: Any) -> int:
    workers = getattr(executor, "_max_workers", None)  # of concurrent.futures
    if isinstance(workers, int) and workers > 0:
        return workers
    client = getattr(executor, "_client", executor)  # of Dask
    if callable(getattr(client, "nthreads", None)):
        return sum(client.nthreads().values()) or _PLACES
    return _PLACES
