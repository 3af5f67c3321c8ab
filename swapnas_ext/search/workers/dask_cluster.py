"""Workers of a Dask cluster, or of Dask on this machine."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Any

from swapnas_ext._util import cores, ctrl_c_later
from swapnas_ext.search.evaluation import Evaluator
from swapnas_ext.search.workers.dask_client import DaskScoring, DaskWorker
from swapnas_ext.search.workers.dask_settings import for_searches
from swapnas_ext.search.workers.travel import (
    Portable,
    check_main_script,
    no_main_script_but_files,
)

_log = logging.getLogger(__name__)

_ANSWERS_WITHIN = 5.0  # seconds
_CLIENT = {"set_as_default": False, "timeout": 10}


@dataclass(frozen=True)
class DaskCluster:
    """Scores with Dask.

    Args:
        workers: the number of processes of a new cluster on this machine; default: one for each core. With an address:
            the most networks that are scored at a time; default: one for each of its workers that are there at the
            start. A cluster that grows on demand needs a number.
        address: the address of a running scheduler, such as ``"tcp://host:8786"``. Default: a new cluster on this
            machine.
        security: a ``distributed.Security``, for an address with ``tls://``.
        patience: seconds without any worker after which the search ends with an error.
    """

    workers: int | None = None
    address: str | None = None
    security: Any = None
    patience: float = 120.0

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")


def dask_workers(evaluator: Evaluator, cluster: DaskCluster) -> list[DaskWorker]:
    """Starts a cluster, or connects to one.

    Raises:
        ImportError: Dask is not installed.
        ConnectionError: there is no scheduler at the address, or no worker for longer than the cluster's patience.
    """
    _distributed()
    content = Portable(evaluator).content
    if cluster.address is not None:
        return _of_address(content, cluster, cluster.address)
    check_main_script()
    count = cluster.workers or cores()
    started = start_cluster(workers=count)
    scoring = DaskScoring(
        started.client,
        content,
        is_own=True,
        patience=cluster.patience,
        close=started.close,
    )
    return [DaskWorker(scoring) for _ in range(count)]


class StartedCluster:
    """A cluster whose scheduler runs in this process, and its client."""

    def __init__(self, cluster: Any, client: Any) -> None:
        self.cluster = cluster
        self.client = client

    def names(self) -> list[str]:
        """The names of the workers that are connected."""
        return [str(worker.name) for worker in list(self.cluster.scheduler.workers.values())]

    def close(self) -> None:
        self.client.close()
        self.cluster.close()


def start_cluster(workers: int, **options: Any) -> StartedCluster:
    """Starts a scheduler in this process, and worker processes of one thread each on this machine.

    Args:
        workers: number of processes.
        options: further arguments of ``distributed.LocalCluster``.
    """
    distributed = _distributed()
    resource_tracker.ensure_running()  # in the context, its start would let Ctrl-C through to the processes
    with ctrl_c_later(), no_main_script_but_files(), for_searches():
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,  # Dask would pause workers where others use the memory
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            **options,
        )
        try:
            return StartedCluster(cluster, distributed.Client(cluster, **_CLIENT))
        except BaseException:
            cluster.close()
            raise


def _of_address(content: bytes, cluster: DaskCluster, address: str) -> list[DaskWorker]:
    client = _connected(address, cluster.security)
    try:
        if cluster.workers is None:
            try:
                client.wait_for_workers(1, timeout=cluster.patience)
            except TimeoutError as error:
                raise ConnectionError(
                    f"no worker is connected to the Dask scheduler at {address}, after {cluster.patience:g} s: "
                    f"dask worker {address} --nthreads 1"
                ) from error
        threads = client.nthreads().values()
        if any(count > 1 for count in threads):
            _log.warning(
                "some workers of the Dask cluster at %s have %d threads, of which one scores: start more processes of "
                "one thread each (dask worker --nworkers N --nthreads 1)",
                address,
                max(threads),
            )
        scoring = DaskScoring(
            client, content, is_own=False, patience=cluster.patience, close=client.close
        )
    except BaseException:
        client.close()
        raise
    # With a number, no more than that are in the cluster at a time.
    depth = 2 if cluster.workers is None else 1
    return [DaskWorker(scoring, depth) for _ in range(cluster.workers or len(threads))]


def _connected(address: str, security: Any) -> Any:
    distributed = _distributed()
    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook runs a loop in this one
            thread.submit(asyncio.run, _check_answers(address, security)).result()
        return distributed.Client(address, security=security, **_CLIENT)
    except (OSError, ValueError, TypeError, asyncio.TimeoutError) as error:
        told = str(error) or f"what listens there gives no answer in {_ANSWERS_WITHIN:g} s"
        raise ConnectionError(f"no Dask scheduler answers at {address}: {told}") from error


async def _check_answers(address: str, security: Any) -> None:
    """Raises OSError or TimeoutError if no scheduler listens at the address. A client would wait for ever for something
    else that does."""
    options = {} if security is None else security.get_connection_args("client")
    connecting = _distributed().comm.connect(address, timeout=_ANSWERS_WITHIN, **options)
    comm = await asyncio.wait_for(connecting, 2 * _ANSWERS_WITHIN)
    await comm.close()


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ImportError("Dask is not installed; run: pip install 'swapnas-ext[dask]'") from error
    return distributed
