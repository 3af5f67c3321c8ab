"""Makes workers from the ``workers=`` of a search, and registers workers by name.

Packages offer theirs in the entry-point group ``swapnas_ext.workers``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from swapnas_ext._util import Registry, full_name
from swapnas_ext.search.evaluation import Evaluator
from swapnas_ext.search.workers.base import Worker, WorkerFactory, is_worker
from swapnas_ext.search.workers.executor import ExecutorWorker, is_executor
from swapnas_ext.search.workers.local_process import LocalProcess
from swapnas_ext.search.workers.ray_cluster import RayCluster, RayWorker, ray_workers
from swapnas_ext.search.workers.this_process import ThisProcess
from swapnas_ext.search.workers.travel import Portable, check_main_script

_registry: Registry[WorkerFactory] = Registry("workers", "swapnas_ext.workers")
register_workers = _registry.register

Workers = (
    int
    | str
    | Executor
    | RayCluster
    | Worker
    | Sequence[Worker]
    | Callable[[Evaluator], Any]
    | None
)


@register_workers("ray")
def _ray(evaluator: Evaluator) -> list[RayWorker]:
    return ray_workers(evaluator, RayCluster())


def hire(evaluator: Evaluator, workers: Workers) -> Sequence[Worker]:
    """Makes the workers of a search.

    Raises:
        TypeError: ``workers`` is of another type, or the space or the scorer can't be sent to the workers.
        ValueError: the name is unknown, or there is less than one worker.
        ImportError: the module of a name, or a package that the workers need, can't be imported.
        RuntimeError: worker processes would start the search again, since they import the main script.
    """
    hired = _hire_known(evaluator, workers)
    if hired is not None:
        return hired
    factory = _registry.get(workers) if isinstance(workers, str) else workers
    if not callable(factory):
        raise TypeError(
            "workers must be a number, a name, an executor, a RayCluster, a Worker or several, or a function that "
            f"makes them, got {workers!r}"
        )
    made = factory(evaluator)
    hired = None if made is None else _hire_known(evaluator, made)
    if hired is None:
        raise TypeError(f"{full_name(factory)} makes no workers, but {made!r}")
    return hired


def _hire_known(evaluator: Evaluator, workers: Any) -> Sequence[Worker] | None:
    """The workers; None if ``workers`` is a name, or a class or function that makes them."""
    if workers is None:
        return [ThisProcess(evaluator)]
    if isinstance(workers, RayCluster):
        return ray_workers(evaluator, workers)
    if isinstance(workers, int) and not isinstance(workers, bool):
        return _local_processes(evaluator, workers)
    if isinstance(workers, type):  # a class that makes them
        return None
    if is_worker(workers):
        return [workers]
    if is_executor(workers):
        return [ExecutorWorker(Portable(evaluator), workers)]
    if isinstance(workers, Sequence) and not isinstance(workers, str):
        if not workers:
            raise ValueError("workers must be at least one, got an empty sequence")
        strangers = [worker for worker in workers if not is_worker(worker)]
        if strangers:
            raise TypeError(
                "each of several workers needs depth, submit, revive and close (see "
                f"swapnas_ext.search.Worker); one is {strangers[0]!r}"
            )
        return list(workers)
    return None


def _local_processes(evaluator: Evaluator, count: int) -> list[LocalProcess]:
    if count < 1:
        raise ValueError(f"workers must be at least 1, got {count}")
    check_main_script()
    content = Portable(evaluator).content
    return [LocalProcess(content) for _ in range(count)]
