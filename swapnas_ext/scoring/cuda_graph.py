"""A forward pass as a captured CUDA graph: replayed at one launch, whatever it consists of.

Not yet run on hardware.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

_WARM_UPS = 2


class ReplayedForward:
    """Captures ``run()`` when entered; `replay` runs it again, with the same tensors at the same places.

    Raises:
        RuntimeError: something in ``run`` can't be captured, such as a synchronisation.
    """

    def __init__(self, run: Callable[[], None], device: torch.device) -> None:
        self._run = run
        self._device = device
        self._graph = torch.cuda.CUDAGraph()

    def __enter__(self) -> ReplayedForward:
        with torch.cuda.device(self._device):
            side = torch.cuda.Stream()
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
