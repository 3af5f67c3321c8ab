"""Workers of a Ray cluster, or of Ray on this machine."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.evaluation import Evaluator, prepare_process


@dataclass(frozen=True)
class RayCluster:
    """Scores with Ray.

    Args:
        workers: the number of workers. Each takes a CPU, and a GPU if networks run on one. Default: as many as the
            cluster has room for.
        address: the address of a running cluster, such as ``"auto"`` or ``"ray://host:10001"``. Default: the Ray that
            this process uses already, or else a new one on this machine.
    """

    workers: int | None = None
    address: str | None = None


def ray_workers(evaluator: Evaluator, cluster: RayCluster) -> list[RayWorker]:
    """Starts the actors.

    Raises:
        ImportError: Ray is not installed.
        ConnectionError: there is no cluster at the address, or this process is connected to another.
        ValueError: the cluster has no room for the workers.
    """
    ray = _ray()
    _connect(ray, cluster)
    resource = "CPU" if evaluator.device == "cpu" else "GPU"
    there = int(ray.cluster_resources().get(resource, 0))
    wanted = there if cluster.workers is None else cluster.workers
    if not 1 <= wanted <= there:
        raise ValueError(f"{max(wanted, 1)} Ray workers take a {resource} each; Ray has {there}")
    stored = ray.put(evaluator)  # once for all workers
    return [RayWorker(ray, stored, gpus=int(resource == "GPU")) for _ in range(wanted)]


class RayWorker:
    """An actor that scores. If it dies, another replaces it."""

    depth = 2

    def __init__(self, ray: Any, evaluator: Any, gpus: int) -> None:
        self._ray = ray
        self._evaluator = evaluator
        # With Ray's own restarts, everything submitted before the actor is up again would fail.
        self._class = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(
            _Actor
        )
        self._renew()

    def _renew(self) -> None:
        self._actor = self._class.remote(self._evaluator)

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        future: Future[list[Outcome]] = self._actor.evaluate.remote(list(architectures)).future()
        return future

    def revive(self, error: BaseException) -> bool:
        if not isinstance(error, self._ray.exceptions.RayActorError):
            return False
        self._renew()
        return True

    def close(self) -> None:
        self._ray.kill(self._actor)


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
