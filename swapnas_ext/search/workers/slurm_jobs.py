"""The jobs of a search on Slurm: submits them, and again if they are lost."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swapnas_ext._util import ctrl_c_later
from swapnas_ext.search.workers.dask_cluster import StartedCluster
from swapnas_ext.search.workers.patience import GO_ON
from swapnas_ext.search.workers.slurm_job import SlurmJob

_log = logging.getLogger(__name__)

_NONE_STARTS = 2  # jobs that end without having worked, if none ever has
_TOLD_OF_LOG = 400  # characters


@dataclass
class _Submitted:
    """A job, and how often it was submitted again."""

    number: int
    job: Any
    resubmitted: int = 0
    has_worked: bool = False
    is_lost: bool = False

    @property
    def label(self) -> str:
        return f"{self.number}.{self.resubmitted}"


class SlurmJobs:
    """The jobs of a search.

    Args:
        executor: submitit's.
        count: number of jobs.
        resubmissions: how often each is submitted again if it ends early.
        started: the scheduler to which the jobs connect.

    Raises:
        RuntimeError: Slurm refuses the jobs.
    """

    def __init__(
        self, executor: Any, count: int, resubmissions: int, started: StartedCluster
    ) -> None:
        self._executor = executor
        self._resubmissions = resubmissions
        self._started = started
        self._any_has_worked = False
        self._never_worked = 0
        jobs = self._submit([f"{number}.0" for number in range(count)])
        self._jobs = [_Submitted(number, job) for number, job in enumerate(jobs)]
        _log.info("submitted %d jobs", count)

    def _submit(self, labels: list[str]) -> list[Any]:
        scheduler = self._started.cluster
        address, security = scheduler.scheduler_address, scheduler.security
        tasks = [SlurmJob(address, security, label) for label in labels]
        try:
            with ctrl_c_later():  # local ones never get it
                if len(tasks) == 1:
                    return [self._executor.submit(tasks[0])]
                with self._executor.batch():  # one array of jobs
                    return [self._executor.submit(task) for task in tasks]
        except Exception as error:  # submitit has its own, and those of the commands that it runs
            raise RuntimeError(f"Slurm refuses the jobs: {error}") from error

    def look_after(self) -> None:
        """Submits jobs again that have ended.

        Raises:
            RuntimeError: jobs end before they can work, or all have ended too often.
        """
        labels = {name.partition("-")[0] for name in self._started.names()}
        for submitted in self._jobs:
            if submitted.label in labels:
                submitted.has_worked = self._any_has_worked = True
        for submitted in self._jobs:
            if not submitted.is_lost and submitted.job.done():
                self._replace(submitted)
        if all(submitted.is_lost for submitted in self._jobs):
            raise RuntimeError(
                f"all {len(self._jobs)} jobs have ended, and were submitted again {self._resubmissions} times each; "
                f"the last{_told_by(self._jobs[-1].job)}; {GO_ON}"
            )

    def _replace(self, submitted: _Submitted) -> None:
        self._never_worked += not submitted.has_worked
        if not self._any_has_worked and self._never_worked >= _NONE_STARTS:
            raise RuntimeError(
                f"{self._never_worked} jobs have ended before they could work; one{_told_by(submitted.job)}"
            )
        _remove_key(submitted.job)
        if submitted.resubmitted >= self._resubmissions:
            submitted.is_lost = True
            _log.warning(
                "job %s%s, and is not submitted again", submitted.label, _told_by(submitted.job)
            )
            return
        _log.warning("job %s%s, and is submitted again", submitted.label, _told_by(submitted.job))
        submitted.resubmitted += 1
        submitted.has_worked = False
        (submitted.job,) = self._submit([submitted.label])

    def end(self) -> None:
        """Cancels the jobs, those that wait in the queue too, and removes the keys of the search."""
        for submitted in self._jobs:
            with suppress(Exception):  # it has ended, or Slurm does not answer: it ends by itself
                if self._executor.cluster == "slurm":
                    submitted.job.cancel(check=False)
                else:
                    _kill_local(submitted.job)
            _remove_key(submitted.job)


def _kill_local(job: Any) -> None:
    """Kills a job on this machine. Submitit's own way is Ctrl-C, which local jobs don't get."""
    import psutil  # a dependency of Dask

    controller = psutil.Process(int(job.job_id))
    processes = [controller, *controller.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    while not job.done():
        time.sleep(0.01)


def _remove_key(job: Any) -> None:
    """Removes what submitit has written for a job that has ended: the certificates are in it."""
    with suppress(OSError):
        job.paths.submitted_pickle.unlink(missing_ok=True)


def _told_by(job: Any) -> str:
    """How a job ended, for an error."""
    log: Path = job.paths.stderr
    try:
        lines = log.read_text(errors="replace").split("\n")
    except OSError:
        lines = []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "empty")
    return f" is {job.state} (its log, {log}, ends: {last[:_TOLD_OF_LOG]})"
