"""Workers score networks: in this process, local processes, executors, clusters, or anywhere else."""

from __future__ import annotations

from swapnas_ext.search.workers.base import CheckedWorker, Worker, WorkerFactory
from swapnas_ext.search.workers.crew import Chunk, Crew
from swapnas_ext.search.workers.dask_cluster import DaskCluster
from swapnas_ext.search.workers.executor import ExecutorWorker
from swapnas_ext.search.workers.futures import as_future, first_ended
from swapnas_ext.search.workers.local_process import LocalProcess
from swapnas_ext.search.workers.ray_cluster import RayCluster
from swapnas_ext.search.workers.registry import Workers, check_workers, hire, register_workers
from swapnas_ext.search.workers.slurm_cluster import SlurmCluster
from swapnas_ext.search.workers.this_process import ThisProcess
from swapnas_ext.search.workers.travel import Portable
from swapnas_ext.search.workers.worker_text import FORMS, read_workers

__all__ = [
    "FORMS",
    "CheckedWorker",
    "Chunk",
    "Crew",
    "DaskCluster",
    "ExecutorWorker",
    "LocalProcess",
    "Portable",
    "RayCluster",
    "SlurmCluster",
    "ThisProcess",
    "Worker",
    "WorkerFactory",
    "Workers",
    "as_future",
    "check_workers",
    "first_ended",
    "hire",
    "read_workers",
    "register_workers",
]
