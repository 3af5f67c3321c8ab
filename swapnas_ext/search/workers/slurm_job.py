"""What a Slurm job of a search does."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from swapnas_ext.search.workers.dask_settings import for_searches

_DEATH_TIMEOUT = 60.0  # seconds that a worker looks for its search


class SlurmJob:
    """Runs a worker process, and another if it dies, until the search has ended. Called in the job.

    Args:
        address: that of the search's scheduler.
        security: the certificates of the search.
        label: begins the name of the worker.
    """

    def __init__(self, address: str, security: Any, label: str) -> None:
        self._address = address
        self._security = security
        self._label = label
        self._modules_from = [path for path in sys.path if path]

    def __call__(self) -> None:
        sys.path += [path for path in self._modules_from if path not in sys.path]
        with for_searches():
            asyncio.run(self._work())

    async def _work(self) -> None:
        import submitit
        from distributed import Nanny

        task = submitit.JobEnvironment()
        async with Nanny(
            self._address,
            nthreads=1,
            name=f"{self._label}-{task.global_rank}-{task.local_rank}",
            security=self._security,
            death_timeout=_DEATH_TIMEOUT,
            memory_limit=0,  # Slurm limits it
        ) as nanny:
            await nanny.finished()
