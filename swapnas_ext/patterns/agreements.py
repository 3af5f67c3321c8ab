"""Counts, for each two samples, the neurons on which they agree."""

from __future__ import annotations

import torch
from torch import Tensor

from swapnas_ext.patterns.checks import check_activations, check_count
from swapnas_ext.patterns.observer import Observer


class Agreements(Observer):
    """For each two samples, the number of neurons that are positive on both or on neither.

    NaN is not positive.

    Args:
        samples: S, the number of samples of the mini-batch.
        device: where the activations are.

    Attributes:
        matrix: int64 ``[S, S]``, over all activations so far.

    Example::

        agreements = Agreements(samples=16)
        agreements.update(x)  # [16 * chunks, ...]
        agreements.matrix

    Equivalent to::

        active = torch.cat([t.reshape(16, -1) for t in (x, ...)], dim=1) > 0
        (active[:, None] == active[None]).sum(-1)
    """

    def __init__(self, samples: int, *, device: torch.device | str = "cpu") -> None:
        # Only positive neurons count, so activations of all kinds will do.
        super().__init__(check_count("samples", samples), ternary=True)
        self.matrix = torch.zeros(samples, samples, dtype=torch.int64, device=device)

    def update(self, x: Tensor) -> None:
        """Adds the neurons of ``x``, ``[S * chunks, ...]``. Errors as of `PatternCounter.update`."""
        check_activations(x, self.samples)
        torch.ops.swapnas.add_agreements_(self.matrix, x.detach(), self.samples)
