"""Workers of a Ray cluster, or of Ray on this machine."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.evaluation import Evaluator, prepare_process
from swapnas_ext.search.workers.cards import on_own_card, share_of_card
from swapnas_ext.search.workers.patience import Patience


@dataclass(frozen=True)
class RayCluster:
    """Scores with Ray.

    Args:
        workers: the number of workers. Each takes a CPU, and its share of the GPUs if networks run on one: a quarter of
            one for 8 workers on 2 GPUs. Default: one for each CPU of the cluster, or for each GPU.
        address: the address of a running cluster, such as ``"auto"`` or ``"ray://host:10001"``. Default: the Ray that
            this process uses already, or else a new one on this machine.
        patience: seconds without any worker after which the search ends with an error.
    """

    workers: int | None = None
    address: str | None = None
    patience: float = 300.0


def ray_workers(evaluator: Evaluator, cluster: RayCluster) -> list[RayWorker]:
    """Starts the actors.

    Raises:
        ImportError: Ray is not installed.
        ConnectionError: there is no cluster at the address, or this process is connected to another.
        ValueError: the cluster has no room for the workers.
    """
    ray = _ray()
    _connect(ray, cluster)
    there = ray.cluster_resources()
    cpus, gpus = (int(there.get(resource, 0)) for resource in ("CPU", "GPU"))
    needs_gpu = evaluator.device != "cpu"
    wanted = cluster.workers
    if wanted is None:
        wanted = gpus if needs_gpu else cpus
    if not 1 <= wanted <= cpus:
        raise ValueError(f"{max(wanted, 1)} Ray workers take a CPU each; Ray has {cpus}")
    if needs_gpu and not gpus:
        raise ValueError(f"{wanted} Ray workers run networks on {evaluator.device}; Ray has no GPU")
    stored = ray.put(on_own_card(evaluator))  # once for all workers
    share = share_of_card(wanted, gpus) if needs_gpu else 0.0
    actors = _Actors(ray, stored, share, cluster.patience)
    return [RayWorker(actors) for _ in range(wanted)]


class _Actors:
    """Starts the actors of a search, and knows which of them are up."""

    def __init__(self, ray: Any, evaluator: Any, share_of_gpu: float, patience: float) -> None:
        self.ray = ray
        self._evaluator = evaluator
        # With Ray's own restarts, everything submitted before the actor is up again would fail.
        self._class = ray.remote(
            num_cpus=1, num_gpus=share_of_gpu, max_restarts=0, max_task_retries=0
        )(_Actor)
        self._up: set[RayWorker] = set()
        self._patience = Patience(patience, "Ray has had no worker, nor a place for one")

    def start(self) -> Any:
        return self._class.remote(self._evaluator)

    def note(self, worker: RayWorker, *, is_up: bool) -> None:
        (self._up.add if is_up else self._up.discard)(worker)

    def check(self) -> None:
        self._patience.note(bool(self._up))


class RayWorker:
    """An actor that scores. If it dies, another replaces it as soon as Ray has a place for it."""

    depth = 2

    def __init__(self, actors: _Actors) -> None:
        self._actors = actors
        self._actor = actors.start()

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        evaluate = self._actor.evaluate
        future: Future[list[Outcome]] = evaluate.remote(list(architectures)).future()
        if not architectures:
            future.add_done_callback(self._note_answer)
        return future

    def _note_answer(self, answer: Future[list[Outcome]]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            self._actors.note(self, is_up=True)

    def revive(self, error: BaseException) -> bool:
        if not isinstance(error, self._actors.ray.exceptions.RayActorError):
            return False
        self._actors.note(self, is_up=False)
        self.close()  # it may be alive, and out of reach
        self._actor = self._actors.start()
        return True

    def check(self) -> None:
        self._actors.check()

    def close(self) -> None:
        self._actors.ray.kill(self._actor)


class _Actor:
    def __init__(self, evaluator: Evaluator) -> None:
        prepare_process()
        self._evaluator = evaluator

    def evaluate(self, architectures: list[str]) -> list[Outcome]:
        return self._evaluator(architectures)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError("Ray is not installed; run: pip install 'swapnas-ext[ray]'") from error
    return ray


def _connect(ray: Any, cluster: RayCluster) -> None:
    address = cluster.address
    if ray.is_initialized():
        here = ray.get_runtime_context().gcs_address
        if address not in (None, "auto", "local", here):
            raise ConnectionError(
                f"this process is connected to Ray at {here} already: ray.shutdown() before {address}"
            )
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None or address == "local":
        ray.init(address="local", num_cpus=cluster.workers, include_dashboard=False, **options)
        return
    try:
        _check_answers(address)
        ray.init(address=address, **options)
    except Exception as error:  # Ray has many kinds of errors for this
        raise ConnectionError(f"no Ray cluster answers at {address}: {error}") from error


def _check_answers(address: str) -> None:
    """Raises OSError if nothing listens at the address. Ray itself would try for minutes, and end the process."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()
