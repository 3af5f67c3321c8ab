"""Measures what final networks cost, in the workers of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from swapnas_ext.search.candidate import LATENCIES, MEMORY
from swapnas_ext.search.final_networks import count_flops, count_memory
from swapnas_ext.search.latency import Latency, LatencyMeter, Quiet, ThisMachine
from swapnas_ext.search.settings import SearchSettings
from swapnas_ext.spaces import SearchSpace


@dataclass(frozen=True)
class Costs:
    """What a final network costs for one sample.

    Attributes:
        flops, memory: operations, and bytes; None if they were not counted.
        latencies: by the name of the device.
        over: the limit that the network exceeds. What comes after it was not measured.
    """

    flops: int | None = None
    memory: int | None = None
    latencies: Mapping[str, Latency] = field(default_factory=dict)
    over: str | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """Attributes of an `Outcome`, but for its details."""
        first = next(iter(self.latencies.values()), None)
        known: dict[str, Any] = {"flops": self.flops}
        if first is not None:
            known |= {
                "latency": first.median,
                "latency_low": first.low,
                "latency_high": first.high,
            }
        return known

    @property
    def details(self) -> dict[str, Any]:
        """Those details of an `Outcome` that are about costs."""
        details: dict[str, Any] = {} if self.memory is None else {MEMORY: self.memory}
        if self.latencies:
            details[LATENCIES] = {name: found.for_json() for name, found in self.latencies.items()}
        return details


@dataclass(frozen=True)
class FinalCosts:
    """Counts and measures the costs that a search asks for. It is sent to the workers.

    Args:
        space: the space that is searched. Costs are those of its `SearchSpace.final` networks.
        settings: their limits and their objective say what is counted.
        meters: measure latency, each on a device. Limits and objective are about the first.
        quiet: shared by the workers of a search, so that one measurement does not disturb another.
    """

    space: SearchSpace
    settings: SearchSettings
    meters: tuple[LatencyMeter, ...] = ()
    quiet: Quiet | None = None

    @classmethod
    def asked(
        cls,
        space: SearchSpace,
        settings: SearchSettings,
        meters: Sequence[LatencyMeter],
        device: str,
    ) -> FinalCosts:
        """Those that a search asks for. Without meters, latency is measured on ``device`` if it is asked for.

        Raises:
            ImportError: latency is asked for, and the installed filelock has no lock for readers and writers.
        """
        if not meters and _asks(settings, "latency", settings.max_latency):
            meters = (ThisMachine(device),)
        return cls(space, settings, tuple(meters), Quiet() if meters else None)

    def of(self, architecture: str) -> Costs:
        """The costs of an architecture, the cheapest to count first, up to the first limit that it exceeds."""
        settings = self.settings
        flops = memory = None
        with self.working():
            if _asks(settings, "flops", settings.max_flops):
                flops = count_flops(*self._final, architecture)
                if settings.max_flops is not None and flops > settings.max_flops:
                    return Costs(flops, over="flops")
            if _asks(settings, "memory", settings.max_peak_memory):
                memory = count_memory(*self._final, architecture)
                if settings.max_peak_memory is not None and memory > settings.max_peak_memory:
                    return Costs(flops, memory, over="memory")
        latencies: dict[str, Latency] = {}
        for meter in self.meters:
            latency = self._latency(meter, architecture)
            first = not latencies
            latencies[meter.name] = latency
            limit = settings.max_latency
            if first and limit is not None and latency.median > limit:
                return Costs(flops, memory, latencies, over="latency")
        return Costs(flops, memory, latencies)

    def moved(self, device: str, to: str) -> FinalCosts:
        """The same, with latency measured on another device of this machine."""
        meters = (
            ThisMachine(to) if meter == ThisMachine(device) else meter for meter in self.meters
        )
        return replace(self, meters=tuple(meters))

    def working(self) -> AbstractContextManager[None]:
        """Held while a worker does anything but measure."""
        here = not all(meter.is_elsewhere for meter in self.meters)
        return self.quiet.working() if self.quiet is not None and here else nullcontext()

    def _latency(self, meter: LatencyMeter, architecture: str) -> Latency:
        final, sample = self._final
        with self.working():
            network = final.build(architecture).eval()
        assert self.quiet is not None
        with self.quiet.turn() if meter.is_elsewhere else self.quiet.alone():
            return meter.measure(network, sample)

    @cached_property
    def _final(self) -> tuple[SearchSpace, Tensor]:
        """The space of the final networks, and one sample."""
        final = self.space.final()
        return final, final.inputs(1)


def _asks(settings: SearchSettings, name: str, limit: float | None) -> bool:
    return settings.objective == name or limit is not None
