"""Operations of a network, counted while it runs anyway.

Torch's own `FlopCounterMode` counts more kinds of them, and takes as long as scoring a network of
NAS-Bench-201 does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import CONVOLUTIONS, TRANSPOSED_CONVOLUTIONS

_COUNTED = (*CONVOLUTIONS, nn.Linear)


class FlopCount:
    """Counts the operations of the convolutions and linear layers of a network that is watched; two for a
    multiplication with addition. Not counted are products of activations, as in attention, what is called
    as a function, the projections of ``nn.MultiheadAttention``, and TorchScript."""

    def __init__(self) -> None:
        self._total = 0
        self._forwards = 0
        self._hooks: list[Any] = []

    def watch(self, network: nn.Module) -> nn.Module:
        """The network, which has hooks until `close`."""
        if _is_scripted(network):  # takes no such hooks
            return network
        self._hooks.append(network.register_forward_pre_hook(self._begin))
        for module in network.modules():
            if isinstance(module, _COUNTED) and not _is_scripted(module):
                self._hooks.append(module.register_forward_hook(self._add))
        return network

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def per_sample(self, samples: int) -> int | None:
        """Of one forward pass, of one of so many samples; None where that was not to be seen."""
        return self._total // (self._forwards * samples) if self._forwards else None

    def _begin(self, module: nn.Module, args: Any) -> None:
        self._forwards += 1

    def _add(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        # Each element takes the weights of its channel: of the output, or, transposed, of the input.
        elements = args[0] if isinstance(module, TRANSPOSED_CONVOLUTIONS) else output
        weight: Tensor = module.weight  # type: ignore[assignment]
        self._total += 2 * elements.numel() * (weight.numel() // weight.shape[0])


def _is_scripted(module: nn.Module) -> bool:
    return isinstance(module, torch.jit.ScriptModule)
