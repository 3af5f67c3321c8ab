"""How Dask is set where its processes are for one search alone."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

_SETTINGS = {
    # How often Dask itself tries a task again whose process has died. The crew tries it alone after that. With Dask's
    # default, 3, a network that kills its process would kill eight.
    "distributed.scheduler.allowed-failures": 1,
    # What Dask looks at up to a hundred times a second, in the processes that score: with its defaults, a search of 150
    # networks took 10.0 and 10.7 s of CPU time where local processes took 7.3 and 7.1.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
}


def for_searches() -> AbstractContextManager[Any]:
    """Sets Dask for processes that are started in this context."""
    import dask
    import distributed  # noqa: F401  # brings its own settings, which would be lost with these

    settings: AbstractContextManager[Any] = dask.config.set(_SETTINGS)
    return settings
