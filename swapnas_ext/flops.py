"""Operations of a network, counted while it runs anyway.

Torch's own `FlopCounterMode` counts more kinds of them, and takes as long as scoring a network of
NAS-Bench-201 does.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

_COUNTED = (nn.Conv1d, nn.Conv2d, nn.Linear)


class FlopCount:
    """Counts the operations of the convolutions and linear layers of a network that is watched; two for a
    multiplication with addition. Those of products of activations, as in attention, are not counted."""

    def __init__(self) -> None:
        self._total = 0
        self._forwards = 0
        self._hooks: list[Any] = []

    def watch(self, network: nn.Module) -> nn.Module:
        """The network, which has hooks until `close`."""
        self._hooks.append(network.register_forward_pre_hook(self._begin))
        for module in network.modules():
            if isinstance(module, _COUNTED):
                self._hooks.append(module.register_forward_hook(self._add))
        return network

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def per_sample(self, samples: int) -> int | None:
        """Of one forward pass, of one of so many samples; None where the network did not run."""
        return self._total // (self._forwards * samples) if self._forwards else None

    def _begin(self, module: nn.Module, args: Any) -> None:
        self._forwards += 1

    def _add(self, module: nn.Module, args: Any, output: Tensor) -> None:
        # What one element of the output takes: the weights of its channel.
        self._total += 2 * output.numel() * (module.weight.numel() // module.weight.shape[0])  # type: ignore[operator, union-attr]
