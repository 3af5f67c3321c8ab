"""Measures how long a network takes for one sample: here, while no other worker works, or on another device."""

from __future__ import annotations

import math
import platform
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from filelock import FileLock
from torch import Tensor, nn

if TYPE_CHECKING:
    from filelock import ReadWriteLock

_WARM_UP = (2, 20)
"""The fewest and the most runs before a measurement. They end when a run gains less than `_STEADY` on the fastest."""
_STEADY = 0.05
_ENOUGH = ((15, 0.2), (7, 2.0))
"""Pairs of a number of runs and a total of seconds. A measurement ends when it reaches both of a pair."""


@dataclass(frozen=True)
class Latency:
    """Seconds: the median of the runs, and the ends of its 95 % confidence interval, which are None for one run."""

    median: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, times: Sequence[float]) -> Latency:
        """The median of the times, and its interval. The interval holds for any distribution: the median lies beyond
        each end with a probability of at most 2.5 %. With fewer than six times, the ends are the extremes."""
        ordered = sorted(times)
        count = len(ordered)
        if count == 1:
            return cls(ordered[0], None, None)
        # Whole numbers, since 2^count is no float from 1,024 times on.
        most = 2**count // 40
        ways = beyond = 1
        rank = 0
        while True:
            ways = ways * (count - rank) // (rank + 1)
            if beyond + ways > most:
                break
            beyond += ways
            rank += 1
        return cls(statistics.median(ordered), ordered[rank], ordered[count - 1 - rank])

    def for_json(self) -> list[float | None]:
        """The three numbers, as run files record them."""
        return [self.median, self.low, self.high]

    @classmethod
    def from_json(cls, value: object) -> Latency | None:
        """What `for_json` gave; None for anything else, since run files come from anyone."""
        if not isinstance(value, list) or len(value) != 3 or value[0] is None:
            return None
        is_known = [isinstance(part, int | float) and 0 < part < math.inf for part in value]
        if not all(known or part is None for known, part in zip(is_known, value, strict=True)):
            return None
        return cls(*value)

    def overlaps(self, other: Latency) -> bool | None:
        """Whether the intervals overlap, so that the two can't be told apart; None if one has no interval."""
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return None
        return self.low <= other.high and other.low <= self.high


class LatencyMeter(Protocol):
    """Measures latencies on one device. It is sent to the workers, and used in them."""

    @property
    def name(self) -> str:
        """The name of the device, in tables. It may differ from one worker to another."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether the device is another than the worker's machine: other workers go on meanwhile, and only wait for
        their turn with the device. Otherwise no other worker works while it measures."""

    def measure(self, network: nn.Module, sample: Tensor) -> Latency:
        """The latency of a network, in evaluation mode, on a sample; both on the CPU. Errors cost one candidate."""


@dataclass(frozen=True)
class ThisMachine:
    """Measures in the process of the worker, with one thread.

    Args:
        device: that of torch, such as ``"cuda"``.
    """

    device: str = "cpu"
    is_elsewhere = False

    @property
    def name(self) -> str:
        """The name of the GPU, or the model of the processor."""
        return device_name(self.device)

    def measure(self, network: nn.Module, sample: Tensor) -> Latency:
        return measure(network.to(self.device), sample.to(self.device))


def checked_meters(meters: LatencyMeter | Sequence[LatencyMeter]) -> tuple[LatencyMeter, ...]:
    """The meters, given as one or several.

    Raises:
        TypeError: one has no name, is_elsewhere or measure.
        ValueError: two have one name.
    """
    several = tuple(meters) if isinstance(meters, list | tuple) else (meters,)
    for meter in several:
        for needed in ("name", "is_elsewhere", "measure"):
            if not hasattr(meter, needed):
                raise TypeError(
                    f"latency must be measured by an object with name, is_elsewhere and measure, such as "
                    f"swap.export.LatencyCommand; got {type(meter).__name__}, without {needed}"
                )
    names = [meter.name for meter in several]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"two devices are called {name}: give each a name of its own, as in phone=COMMAND"
            )
    return several


def describe_meter(meter: LatencyMeter) -> dict[str, str]:
    """What a run file records of a meter, to tell whether a search goes on with the same."""
    kind = type(meter)
    command = getattr(meter, "command", None)
    told = {"command": command} if isinstance(command, str) else {}
    return {"name": meter.name, **(told or {"meter": f"{kind.__module__}:{kind.__qualname__}"})}


def measured_text(described: Any) -> str:
    """In words, by what a search measures latency, as its run file records it (`describe_meter`)."""
    if not described:
        return "measured by torch, or not at all"
    if not isinstance(described, list) or not all(isinstance(one, dict) for one in described):
        return repr(described)
    told = (f"{one.get('name')}={one.get('command') or one.get('meter')}" for one in described)
    return "measured by " + " and ".join(told)


def device_name(device: str) -> str:
    """The name of the GPU, or the model of the processor."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    if torch.device(device).type != "cpu":
        return device
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or device


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

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Held while a worker measures elsewhere. Waits while another worker of this machine does; none stops
        working."""
        with FileLock(self.path.with_name(f"{self.path.name}.turn")):
            yield

    def _lock(self) -> ReadWriteLock:
        try:
            from filelock import ReadWriteLock
        except ImportError as error:  # another package may require an old version
            raise ImportError(
                "measuring latency needs filelock 3.21 or later; run: pip install -U filelock"
            ) from error
        return ReadWriteLock(self.path)

    def remove(self) -> None:
        """Removes the file, after the search."""
        for path in self.path.parent.glob(f"{self.name}*"):
            path.unlink(missing_ok=True)


def measure(network: nn.Module, sample: Tensor) -> Latency:
    """Measures the latency of a network on a sample, once its runs have become steady."""
    least, most = _WARM_UP
    with torch.no_grad():
        fastest = math.inf
        for run in range(most):
            seconds = _timed(network, sample)
            if run + 1 >= least and seconds > (1 - _STEADY) * fastest:
                break
            fastest = min(fastest, seconds)
        times: list[float] = []
        while not any(len(times) >= runs and sum(times) >= total for runs, total in _ENOUGH):
            times.append(_timed(network, sample))
    return Latency.of(times)


def _timed(network: nn.Module, sample: Tensor) -> float:
    """The seconds of one run. A GPU has nothing else to do when it starts: the run before was waited for, and the first
    one is of the warm-up."""
    start = time.perf_counter()
    network(sample)
    if sample.is_cuda:
        torch.cuda.synchronize(sample.device)
    return time.perf_counter() - start
