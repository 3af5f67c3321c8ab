"""Workers that are Slurm jobs, submitted by submitit."""

from __future__ import annotations

import difflib
import re
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swapnas_ext.search.evaluation import Evaluator
from swapnas_ext.search.workers.dask_client import DaskScoring, DaskWorker
from swapnas_ext.search.workers.dask_cluster import StartedCluster, start_cluster
from swapnas_ext.search.workers.slurm_jobs import SlurmJobs
from swapnas_ext.search.workers.travel import Portable

_INSTALL = "pip install 'swapnas-ext[slurm]'"
_DEFAULTS = {"slurm": {"timeout_min": 240}, "local": {"timeout_min": 7 * 24 * 60}}
"""Without a time, submitit gives jobs of Slurm five minutes, and local ones two."""
_OF_ALL = (
    "name",
    "timeout_min",
    "mem_gb",
    "nodes",
    "cpus_per_task",
    "gpus_per_node",
    "tasks_per_node",
)
"""The parameters that submitit knows for all its executors; others are Slurm's alone."""


@dataclass(frozen=True)
class SlurmCluster:
    """Scores in Slurm jobs: each is a worker, for the whole search. The search itself runs where it is started, and the
    jobs connect to it over the network, encrypted, with certificates made for this search.

    Args:
        workers: the number of jobs.
        options: parameters of submitit by name: ``timeout_min`` (default: 240), ``mem_gb``, ``cpus_per_task``,
            ``gpus_per_node``, ``tasks_per_node`` (workers in a job), and those of Slurm: ``partition``, ``account``,
            ``qos``, ``constraint``, ``setup`` (a list of shell commands), ...
        folder: for the logs of the jobs, and for what submitit writes. The nodes must see it too. Default:
            ``swapnas-slurm`` in the current folder.
        resubmissions: how often a job that ends while the search goes on is submitted again: one that was pre-empted,
            lost its node, or reached its time limit.
        host: the address of this machine, as the nodes reach it. Default: that of its host name.
        cluster: ``"slurm"``, or ``"local"`` to try it out: submitit runs the jobs on this machine.
    """

    workers: int
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str | Path | None = None
    resubmissions: int = 10
    host: str | None = None
    cluster: str = "slurm"

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.cluster not in _DEFAULTS:
            raise ValueError(f"cluster must be 'slurm' or 'local', got {self.cluster!r}")


def slurm_workers(evaluator: Evaluator, cluster: SlurmCluster) -> list[DaskWorker]:
    """Starts a scheduler in this process, and submits the jobs.

    Raises:
        ImportError: submitit, Dask or cryptography is not installed.
        RuntimeError: this machine has no Slurm, or it refuses the jobs.
        ValueError: an option that submitit does not know.
    """
    executor = _executor(cluster)
    content = Portable(evaluator).content
    started = _scheduler(cluster)
    try:
        jobs = SlurmJobs(executor, cluster.workers, cluster.resubmissions, started)
    except BaseException:
        started.close()
        raise

    def close() -> None:
        jobs.end()
        started.close()

    try:
        scoring = DaskScoring(
            started.client,
            content,
            is_own=True,
            patience=0,
            look_after=jobs.look_after,
            close=close,
        )
    except BaseException:
        close()
        raise
    options = executor.parameters
    tasks = options.get("tasks_per_node", options.get("ntasks_per_node", 1))
    places = cluster.workers * tasks * options.get("nodes", 1)
    return [DaskWorker(scoring) for _ in range(places)]


def _executor(cluster: SlurmCluster) -> Any:
    try:
        import cryptography  # noqa: F401
        import distributed  # noqa: F401
        import submitit
    except ImportError as error:
        raise ImportError(f"{error.name} is not installed; run: {_INSTALL}") from error
    if cluster.cluster == "slurm" and shutil.which("sbatch") is None:
        raise RuntimeError(
            "this machine has no Slurm (no command sbatch): start the search where jobs are submitted, or try it out "
            "with slurm:2@local, whose jobs run here"
        )
    folder = Path("swapnas-slurm" if cluster.folder is None else cluster.folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)  # the jobs find the key of the search in it
    executor = submitit.AutoExecutor(folder.resolve(), cluster=cluster.cluster)
    options = {"name": "swapnas", "array_parallelism": cluster.workers, **cluster.options}
    if not {"time", "timeout_min"} & options.keys():
        options.update(_DEFAULTS[cluster.cluster])
    try:
        executor.update_parameters(
            **{name if name in _OF_ALL else f"slurm_{name}": v for name, v in options.items()}
        )
    except (
        NameError,
        AssertionError,
        ValueError,
        TypeError,
    ) as error:  # as submitit happens to raise
        raise ValueError(f"options of Slurm: {_refusal(error, list(options))}") from error
    return executor


def _refusal(error: Exception, given: Sequence[str]) -> str:
    """Why submitit takes no such options. Where it lists all that it knows, only the nearest to an unknown one."""
    text = " ".join(str(error).split())
    known = re.findall(r"\w+", text.partition("Valid arguments:")[2])
    unknown = [name for name in given if name not in _OF_ALL and name not in known]
    if not known or not unknown:
        return text
    close = difflib.get_close_matches(unknown[0], [*_OF_ALL, *known], 1)
    near = (
        f"did you mean {close[0]}?" if close else "such as partition, account, timeout_min, mem_gb"
    )
    return f"submitit has no parameter {unknown[0]}; {near}"


def _scheduler(cluster: SlurmCluster) -> StartedCluster:
    import distributed

    security: Any = distributed.Security
    host = cluster.host
    if host is None:
        host = "127.0.0.1" if cluster.cluster == "local" else socket.gethostname()
    try:
        return start_cluster(
            0, host=host, protocol="tls://", security=security.temporary(), scheduler_port=0
        )
    except (OSError, RuntimeError) as error:
        raise ConnectionError(
            f"jobs can't be listened to at {host}: {error}; SlurmCluster(host=...) takes the address at which the "
            "nodes reach this machine"
        ) from error
