"""Workers score networks: in this process, local processes, executors, clusters, or anywhere else."""

from __future__ import annotations

from swapnas_ext.search.workers.base import Worker, WorkerFactory
from swapnas_ext.search.workers.crew import Chunk, Crew
from swapnas_ext.search.workers.executor import ExecutorWorker
from swapnas_ext.search.workers.futures import as_future, first_ended
from swapnas_ext.search.workers.local_process import LocalProcess
from swapnas_ext.search.workers.ray_cluster import RayCluster
from swapnas_ext.search.workers.registry import Workers, hire, register_workers
from swapnas_ext.search.workers.this_process import ThisProcess
from swapnas_ext.search.workers.travel import Portable

__all__ = [
    "Chunk",
    "Crew",
    "ExecutorWorker",
    "LocalProcess",
    "Portable",
    "RayCluster",
    "ThisProcess",
    "Worker",
    "WorkerFactory",
    "Workers",
    "as_future",
    "first_ended",
    "hire",
    "register_workers",
]
