"""The device of measurements: a GPU, or in a dry run the CPU at tiny sizes. The same code runs on both."""

from __future__ import annotations

import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch

Work = Callable[[], object]
Value = TypeVar("Value")
_SPIN_CYCLES = 400_000  # 0.2 ms: longer than enqueuing a kernel between two events


class Device(ABC):
    torch: torch.device

    @abstractmethod
    def sized(self, full: Value, tiny: Value) -> Value:
        """The size to measure, or the size for a dry run."""

    @abstractmethod
    def kernel_ms(self, work: Work) -> float:
        """Milliseconds of the device alone, without the time to enqueue the work."""

    @abstractmethod
    def synchronize(self) -> None: ...

    @abstractmethod
    def captured(self, work: Work) -> Work:
        """Captures the work in a graph, to be replayed."""

    def call_ms(self, work: Work) -> float:
        """Milliseconds of a whole call, measured on the host."""
        self.synchronize()
        start = time.perf_counter()
        work()
        self.synchronize()
        return 1e3 * (time.perf_counter() - start)

    @abstractmethod
    def empty_cache(self) -> None:
        """Releases unused memory."""


class Gpu(Device):
    torch = torch.device("cuda")

    def sized(self, full: Value, tiny: Value) -> Value:
        return full

    def kernel_ms(self, work: Work) -> float:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(_SPIN_CYCLES)
        begin.record()
        work()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end)

    def synchronize(self) -> None:
        torch.cuda.synchronize()

    def captured(self, work: Work) -> Work:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        return graph.replay

    def empty_cache(self) -> None:
        torch.cuda.empty_cache()


class DryRun(Device):
    torch = torch.device("cpu")

    def sized(self, full: Value, tiny: Value) -> Value:
        return tiny

    def kernel_ms(self, work: Work) -> float:
        return self.call_ms(work)

    def synchronize(self) -> None:
        pass

    def captured(self, work: Work) -> Work:
        work()
        return work

    def empty_cache(self) -> None:
        pass


def medians(
    milliseconds: Callable[[Work], float],
    works: Mapping[str, Work],
    *,
    rounds: int,
    before: Work | None = None,
    warm_ups: int = 2,
    seconds: float = 4.0,
) -> dict[str, float]:
    """Times each work in turn, so that disturbances affect all equally. ``before`` runs untimed before each
    of them. Runs at least three rounds, and stops after ``seconds``."""
    times: dict[str, list[float]] = {name: [] for name in works}
    start = time.monotonic()
    for round_ in range(warm_ups + rounds):
        for name, work in works.items():
            if before is not None:
                before()
            value = milliseconds(work)
            if round_ >= warm_ups:
                times[name].append(value)
        if round_ >= warm_ups + 2 and time.monotonic() - start > seconds:
            break
    return {name: statistics.median(values) for name, values in times.items()}
