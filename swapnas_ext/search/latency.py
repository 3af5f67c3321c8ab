"""Measures how long a network takes for one sample, while no other worker on its machine works."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from filelock import ReadWriteLock

_WARM_UP = 2  # runs
_ENOUGH = ((15, 0.2), (7, 2.0))
"""Pairs of a number of runs and a total of seconds. A measurement ends when it reaches both of a pair."""


@dataclass(frozen=True)
class Latency:
    """Seconds: the median of the runs, and the ends of its 95 % confidence interval."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, times: Sequence[float]) -> Latency:
        """The median of the times, and its interval. The interval holds for any distribution: the median lies beyond
        each end with a probability of at most 2.5 %. With very few times, the ends are the extremes."""
        ordered = sorted(times)
        count = len(ordered)
        beyond, rank = 0.5**count, 0
        while beyond + math.comb(count, rank + 1) * 0.5**count <= 0.025:
            rank += 1
            beyond += math.comb(count, rank) * 0.5**count
        return cls(statistics.median(ordered), ordered[rank], ordered[count - 1 - rank])


@dataclass(frozen=True)
class Quiet:
    """A lock that stops the workers of a search on one machine while one of them measures latency. It is sent to the
    workers, and uses a file on each machine.

    Raises:
        ImportError: the installed filelock has no lock for readers and writers.
    """

    name: str = field(default_factory=lambda: f"swapnas-{uuid.uuid4().hex}.lock")

    def __post_init__(self) -> None:
        self._lock()

    @property
    def path(self) -> Path:
        return Path(tempfile.gettempdir()) / self.name

    @contextmanager
    def working(self) -> Iterator[None]:
        """Held while a worker works. Waits while another worker measures."""
        with self._lock().read_lock():
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Held while a worker measures. Waits until no other worker works."""
        with self._lock().write_lock():
            yield

    def _lock(self) -> ReadWriteLock:
        try:
            from filelock import ReadWriteLock
        except ImportError as error:  # another package may require an old version
            raise ImportError(
                "a limit of latency needs filelock 3.21 or later; run: pip install -U filelock"
            ) from error
        return ReadWriteLock(self.path)

    def remove(self) -> None:
        """Removes the file, after the search."""
        for path in self.path.parent.glob(f"{self.name}*"):
            path.unlink(missing_ok=True)


def measure(network: nn.Module, sample: Tensor) -> Latency:
    """Measures the latency of a network on a sample."""
    with torch.no_grad():
        for _ in range(_WARM_UP):
            _timed(network, sample)
        times: list[float] = []
        while not any(len(times) >= runs and sum(times) >= total for runs, total in _ENOUGH):
            times.append(_timed(network, sample))
    return Latency.of(times)


def _timed(network: nn.Module, sample: Tensor) -> float:
    start = time.perf_counter()
    network(sample)
    if sample.is_cuda:
        torch.cuda.synchronize(sample.device)
    return time.perf_counter() - start
