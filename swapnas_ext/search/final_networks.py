"""The networks that the architectures of a search become: their weights, operations and latency."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from swapnas_ext.scoring import one_at_a_time
from swapnas_ext.search.candidate import Candidate
from swapnas_ext.search.costs import COSTS
from swapnas_ext.search.latency import measure
from swapnas_ext.search.one_thread import one_thread
from swapnas_ext.search.peak_memory import peak_memory
from swapnas_ext.search.recorded_space import asked_space_name
from swapnas_ext.spaces import SearchSpace


class FinalNetworks:
    """Builds and measures the final networks (see `SearchSpace.final`) of one search. It remembers what it measured.

    Args:
        space: the space that was searched; None if it is not known.
        settings: those of the search, as run files record them.
    """

    def __init__(self, space: SearchSpace | None, settings: Mapping[str, Any]) -> None:
        self.space = space
        self.settings = settings
        self._flops: dict[str, int] = {}
        self._memory: dict[str, int] = {}
        self._latencies: dict[str, float] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return FinalNetworks, (self.space, self.settings)

    def build(self, architecture: str) -> nn.Module:
        """The network with the weights that it draws. Raises ValueError without a space."""
        return self._final.build(architecture)

    def flops(self, candidate: Candidate) -> int:
        """Operations of one sample: recorded by a search with a limit on FLOPs or that objective, otherwise counted in
        the same way."""
        recorded = None if candidate.outcome is None else candidate.outcome.flops
        if recorded is not None and COSTS["flops"].is_recorded_by(self.settings):
            return recorded
        architecture = candidate.architecture
        if architecture not in self._flops:
            self._flops[architecture] = count_flops(self._final, self._sample, architecture)
        return self._flops[architecture]

    def memory(self, candidate: Candidate) -> int:
        """Peak memory of one sample, in bytes: recorded, or else counted in the same way."""
        recorded = None if candidate.outcome is None else candidate.outcome.memory_bytes
        if recorded is not None:
            return recorded
        architecture = candidate.architecture
        if architecture not in self._memory:
            self._memory[architecture] = count_memory(self._final, self._sample, architecture)
        return self._memory[architecture]

    def latency(self, candidate: Candidate) -> float:
        """Seconds of one sample: recorded, or else measured on this machine."""
        recorded = None if candidate.outcome is None else candidate.outcome.latency
        if recorded is not None:
            return recorded
        architecture = candidate.architecture
        if architecture not in self._latencies:
            device = self.settings.get("device") or "cpu"
            network = self._final.build(architecture)
            with one_at_a_time(), one_thread():
                found = measure(network.eval().to(device), self._sample.to(device))
            self._latencies[architecture] = found.median
        return self._latencies[architecture]

    @property
    def searched(self) -> SearchSpace:
        """The space that was searched. Raises ValueError if it is not known."""
        if self.space is None:
            name = asked_space_name(self.settings)
            which = f"the space {name}" if name else "the space"
            raise ValueError(
                f"{which} of these results is not known here: give it, as in "
                f"swap.search.load('run.db', space={name or 'my_module:MySpace'!r})"
            )
        return self.space

    @cached_property
    def _final(self) -> SearchSpace:
        return self.searched.final()

    @cached_property
    def _sample(self) -> Tensor:
        return self._final.inputs(1)


def count_flops(final: SearchSpace, sample: Tensor, architecture: str) -> int:
    """Operations of one sample through a final network, which is not given memory. A multiplication with addition
    counts as two."""
    with torch.device("meta"):
        network = final.build(architecture).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(sample.to("meta"))
    flops: int = counter.get_total_flops()
    return flops


def count_memory(final: SearchSpace, sample: Tensor, architecture: str) -> int:
    """Peak memory of one sample through a final network, in bytes, see `peak_memory`. It is not given memory."""
    with torch.device("meta"):
        network = final.build(architecture).eval()
    return peak_memory(network, sample.to("meta"))
