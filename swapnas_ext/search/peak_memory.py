"""Counts how much memory the tensors of a forward pass take at most, without running kernels."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import TorchDispatchMode
from swapnas_ext.models import tensors_in

_BATCH_NORM = "batch_norm"
"""In the names of operators whose further outputs are statistics for training, which kernels leave empty in evaluation
mode."""


def peak_memory(network: nn.Module, *inputs: Tensor) -> int:
    """The most bytes of tensors that are alive at one time in one forward pass: parameters, buffers, inputs and
    activations. Tensors that share memory, such as views and the results of in-place operators, count once.

    It is a lower bound of what an allocator takes: workspaces of kernels, rounding and fragmentation are not counted.
    With a network and inputs on the meta device no kernel runs, and the number is the same on every machine. Attention
    is counted there as it is written out, with its matrix of weights, which fused kernels do without.

    Args:
        network: in evaluation mode, and on the device of the inputs.

    Raises:
        RuntimeError: this torch has no TorchDispatchMode.
    """
    if TorchDispatchMode is None:
        raise RuntimeError(
            "peak memory is counted by a TorchDispatchMode, which this version of torch does not have"
        )
    alive = _Alive()
    for tensor in (*network.parameters(), *network.buffers(), *inputs):
        alive.add(tensor)
    with torch.no_grad(), alive:
        network(*inputs)
    return alive.most


class _Alive(TorchDispatchMode or object):  # type: ignore[misc]
    """Follows the memory of tensors from the operator that makes them to the end of the last tensor that uses it."""

    def __init__(self) -> None:
        super().__init__()
        self.most = self._now = 0
        self._followed: dict[int, weakref.ref[Any]] = {}

    def add(self, tensor: Tensor) -> None:
        memory = tensor.untyped_storage()
        key = id(memory)  # torch keeps one object for it while it lives
        if key in self._followed:
            return
        size = memory.nbytes()

        def gone(reference: object) -> None:
            del self._followed[key]
            self._now -= size

        self._followed[key] = weakref.ref(memory, gone)
        self._now += size
        self.most = max(self.most, self._now)

    def __torch_dispatch__(
        self, operator: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        outputs = operator(*args, **(kwargs or {}))
        is_batch_norm = _BATCH_NORM in operator.name() and isinstance(outputs, tuple)
        for output in tensors_in(outputs[0] if is_batch_norm else outputs):
            self.add(output)
        return outputs
