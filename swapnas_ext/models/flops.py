"""Counts the operations of a network during a forward pass that runs anyway.

torch's own `FlopCounterMode` counts more kinds of operations, but takes as long as scoring a network of
NAS-Bench-201.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import CONVOLUTIONS, TRANSPOSED_CONVOLUTIONS
from swapnas_ext.models.nested import main_input
from swapnas_ext.models.weighted_layers import kind_of, weights_of

_COUNTED = (*CONVOLUTIONS, nn.Linear)
_RECURRENT = (nn.RNNBase, nn.RNNCellBase)


@dataclass
class _Pass:
    """A forward pass, with as many rows as its first input has, and the operations of all."""

    rows: int | None
    operations: int = 0


class FlopCount:
    """Counts the operations of those layers of a network whose weights `initialization` draws.

    A multiplication with its addition counts as two operations. Products of activations, as in attention,
    functions that are not layers, and TorchScript are not counted.
    """

    def __init__(self) -> None:
        self._passes: list[_Pass] = []
        self._hooks: list[Any] = []

    def watch(self, network: nn.Module) -> nn.Module:
        """Adds hooks to a network, which stay until `close`, and returns it."""
        if _is_scripted(network):  # does not take these hooks
            return network
        self._hooks.append(network.register_forward_pre_hook(self._begin, with_kwargs=True))
        for module in network.modules():
            if _is_scripted(module):
                continue
            if isinstance(module, _COUNTED):
                self._hooks.append(module.register_forward_hook(self._add, with_kwargs=True))
            elif (count := _other_count(module)) is not None:
                hook = partial(self._add_other, count)
                self._hooks.append(module.register_forward_hook(hook, with_kwargs=True))
        return network

    def close(self) -> None:
        """Removes the hooks."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def per_sample(self, samples: int) -> int | None:
        """Operations of one sample in one forward pass of ``samples`` samples; None where no pass was observed. Passes
        of other numbers of rows, which a measure may make besides, do not count where there is one of so many."""
        counted = [one for one in self._passes if one.rows == samples] or self._passes
        return (
            sum(one.operations for one in counted) // (len(counted) * samples) if counted else None
        )

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        elements = main_input(args, kwargs)
        self._passes.append(
            _Pass(len(elements) if elements is not None and elements.dim() else None)
        )

    def _add(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        # Each element of the output (of the input, where transposed) is multiplied by one channel's weights.
        if not isinstance(module, TRANSPOSED_CONVOLUTIONS):
            args, kwargs = output if isinstance(output, tuple) else (output,), {}
        elements = main_input(args, kwargs)
        if elements is None:
            return
        weight: Tensor = module.weight  # type: ignore[assignment] # of a convolution or linear layer
        self._passes[-1].operations += 2 * elements.numel() * (weight.numel() // weight.shape[0])

    def _add_other(
        self,
        count: _Count,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        output: Any,
    ) -> None:
        self._passes[-1].operations += 2 * count(args, kwargs, output)


_Count = Callable[[tuple[Any, ...], dict[str, Any], Any], int]
"""Computes the multiplications of one call from its positional and keyword arguments and its output."""


def _other_count(module: nn.Module) -> _Count | None:
    kind = kind_of(type(module))
    weights = weights_of(module, kind)
    if isinstance(module, nn.MultiheadAttention):
        return partial(_of_attention, module)
    if not weights:
        return None
    if isinstance(module, _RECURRENT):
        each = sum(weight.shape.numel() for weight, _ in weights.values())
        return lambda args, kwargs, output: _rows(output) * each
    fan_in = sum(
        fan_in or weight.shape.numel() // weight.shape[0] for weight, fan_in in weights.values()
    )
    return lambda args, kwargs, output: _first_tensor(output).numel() * fan_in


def _of_attention(
    module: nn.MultiheadAttention, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
) -> int:
    """Multiplications of the projections of query, key, value and output, which is as large as the query."""
    given = dict(zip(("query", "key", "value"), args, strict=False)) | kwargs
    inputs = [given[name] for name in ("query", "key", "value")]
    elements: int = sum(tensor.numel() for tensor in (inputs[0], *inputs))
    width: int = module.embed_dim
    return width * elements


def _rows(output: Any) -> int:
    tensor = _first_tensor(output)
    return tensor.numel() // tensor.shape[-1]


def _first_tensor(output: Any) -> Tensor:
    while isinstance(output, tuple | list):  # also a packed sequence, which is a tuple
        output = output[0]
    tensor: Tensor = output
    return tensor


def _is_scripted(module: nn.Module) -> bool:
    return isinstance(module, torch.jit.ScriptModule)
