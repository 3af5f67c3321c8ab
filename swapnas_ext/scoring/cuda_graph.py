"""Runs a forward pass as a captured CUDA graph: one launch, however many kernels it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch

from swapnas_ext.capture import Capture
from swapnas_ext.measures import Arguments, Execution, PreparedNetwork
from swapnas_ext.models import MiniBatch
from swapnas_ext.patterns import PatternCounter
from swapnas_ext.scoring import memory

_WARM_UPS = 2


class ReplayedForward:
    """Captures ``run()`` when entered; `replay` runs it again on the same tensors.

    Raises:
        RuntimeError: something in ``run`` can't be captured, such as a synchronisation.
    """

    def __init__(self, run: Callable[[], None], device: torch.device) -> None:
        self._run = run
        self._device = device
        self._graph = torch.cuda.CUDAGraph()

    def __enter__(self) -> ReplayedForward:
        with torch.cuda.device(self._device):
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(_WARM_UPS):
                    self._run()
            torch.cuda.current_stream().wait_stream(side)
            with torch.cuda.graph(self._graph):
                self._run()
        return self

    def replay(self) -> None:
        self._graph.replay()

    def __exit__(self, *_: object) -> None:
        self._graph.reset()


class ReplayedGraph(Execution):
    """Replays a captured forward pass on the samples, which inserts into one counter."""

    def __init__(self, graph: ReplayedForward, counter: PatternCounter) -> None:
        self._graph = graph
        self._counter = counter

    @classmethod
    def captured(cls, network: PreparedNetwork, batch: MiniBatch, stack: ExitStack) -> Execution:
        """Valid for as long as the stack is open. If no graph can be captured, the network runs by itself, and a
        note says so."""
        plain = Execution()
        counter = stack.enter_context(plain.counter(network))
        counter.reserve(network.neurons)
        capture = network.capture(counter)
        arguments = batch.on(network.device)

        def run() -> None:
            counter.reset()
            plain.run(network, capture, arguments)

        try:
            graph = stack.enter_context(ReplayedForward(run, network.device))
        except RuntimeError as error:
            network.note(f"no CUDA graph could be captured: {memory.first_line(error)}")
            return plain
        return cls(graph, counter)

    @contextmanager
    def counter(self, network: PreparedNetwork) -> Iterator[PatternCounter]:
        yield self._counter  # the graph empties it

    def run(self, network: PreparedNetwork, capture: Capture, arguments: Arguments) -> None:
        self._graph.replay()
