"""Makes workers from the ``workers=`` of a search, and registers workers by name.

Packages offer theirs in the entry-point group ``swapnas_ext.workers``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import torch

from swapnas_ext._util import Registry, full_name
from swapnas_ext.search.evaluation import Evaluator
from swapnas_ext.search.workers.base import Worker, WorkerFactory, is_worker
from swapnas_ext.search.workers.cards import on_card
from swapnas_ext.search.workers.dask_cluster import DaskCluster, dask_workers
from swapnas_ext.search.workers.executor import ExecutorWorker, is_executor
from swapnas_ext.search.workers.local_process import LocalProcess
from swapnas_ext.search.workers.ray_cluster import RayCluster, ray_workers
from swapnas_ext.search.workers.slurm_cluster import SlurmCluster, slurm_workers
from swapnas_ext.search.workers.this_process import ThisProcess
from swapnas_ext.search.workers.travel import Portable, check_main_script
from swapnas_ext.search.workers.worker_text import FORMS, read_workers

_registry: Registry[WorkerFactory] = Registry("workers", "swapnas_ext.workers")
register_workers = _registry.register

Workers = (
    int
    | str
    | Executor
    | RayCluster
    | DaskCluster
    | SlurmCluster
    | Worker
    | Sequence[Worker]
    | Callable[[Evaluator], Any]
    | None
)
"""Where networks are scored: the table of docs/workers.md tells what each of these means."""


_REMOTE = (RayCluster, DaskCluster, SlurmCluster)


def check_workers(workers: Workers) -> None:
    """Checks a text that names workers, before anything starts.

    Raises:
        ValueError: an unknown kind, or no workers.
        ImportError: the module of a name can't be imported.
    """
    _read(workers)


def _read(workers: Workers) -> Any:
    """The workers that a text names; others as they are."""
    if not isinstance(workers, str):
        return workers
    known = read_workers(workers)
    if known is not None:
        return known
    if ":" in workers:
        try:
            return _registry.get(workers)
        except ImportError as error:
            raise ImportError(
                f"{error}; workers are {FORMS}, or MODULE:NAME of your own"
            ) from error
    names = _registry.names()
    if workers not in names:
        registered = "".join(f"{name}, " for name in names)
        raise ValueError(
            f"workers must be {FORMS}, {registered}or MODULE:NAME of your own, got {workers!r}"
        )
    return _registry.get(workers)


def hire(evaluator: Evaluator, workers: Workers) -> Sequence[Worker]:
    """Makes the workers of a search.

    Raises:
        TypeError: ``workers`` is of another type, or the space or the scorer can't be sent to the workers.
        ValueError: the name is unknown, there is less than one worker, or a cluster has no room.
        ImportError: the module of a name, or a package that the workers need, can't be imported.
        ConnectionError: there is no cluster at the address.
        RuntimeError: worker processes would start the search again, since they import the main script; or this machine
            has no Slurm, or lacks the device.
    """
    workers = _read(workers)
    if not isinstance(workers, _REMOTE):
        torch.empty(0, device=evaluator.device)  # raises if there is no such device
    hired = _hire_known(evaluator, workers)
    if hired is not None:
        return hired
    factory = workers
    if not callable(factory):
        raise TypeError(
            "workers must be a number, a name, an executor, a RayCluster, DaskCluster or SlurmCluster, a Worker or "
            f"several, or a function that makes them, got {workers!r}"
        )
    made = factory(evaluator)
    hired = None if made is None else _hire_known(evaluator, _read(made))
    if hired is None:
        raise TypeError(f"{full_name(factory)} makes no workers, but {made!r}")
    return hired


def _hire_known(evaluator: Evaluator, workers: Any) -> Sequence[Worker] | None:
    """The workers; None if ``workers`` is a class or function that makes them."""
    if workers is None:
        return [ThisProcess(evaluator)]
    if isinstance(workers, RayCluster):
        return ray_workers(evaluator, workers)
    if isinstance(workers, DaskCluster):
        return dask_workers(evaluator, workers)
    if isinstance(workers, SlurmCluster):
        return slurm_workers(evaluator, workers)
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
    placed = [on_card(evaluator, place) for place in range(count)]
    by_device = {each.device: each for each in placed}
    contents = {device: Portable(each).content for device, each in by_device.items()}
    return [LocalProcess(contents[each.device]) for each in placed]
