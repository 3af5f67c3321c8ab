"""Mini-batches of any kind: what a model is called with, how many samples there are, on which device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from swapnas_ext import data

Inputs = Tensor | Sequence[Any] | Mapping[str, Any] | DataLoader[Any]


class MiniBatch:
    """The arguments of a forward pass.

    Args:
        inputs: a tensor; a tuple or list of positional arguments; a mapping of keyword arguments, such as
            a ``BatchEncoding``; or a data loader, whose first batch is taken (of a pair, its first part).
        samples: S; by default the first dimension of the first tensor that has one. Of a data loader's
            tensor, the first S samples are taken.
        channels_last: images ``[S, C, H, W]`` in that layout.

    Raises:
        TypeError: inputs of another kind.
        ValueError: no samples to be found, or an empty tensor.
    """

    def __init__(
        self, inputs: Inputs, samples: int | None = None, *, channels_last: bool = False
    ) -> None:
        if isinstance(inputs, DataLoader):
            inputs = data.first_batch(inputs, samples)
        if isinstance(inputs, Tensor):
            self.args, self.kwargs = (inputs,), {}
        elif isinstance(inputs, Mapping):
            self.args, self.kwargs = (), dict(inputs)
        elif isinstance(inputs, tuple | list):
            self.args, self.kwargs = tuple(inputs), {}
        else:
            raise TypeError(
                "inputs must be a tensor, a tuple or list of positional arguments, a mapping of keyword "
                f"arguments, or a data loader, got {type(inputs).__name__}"
            )
        self.samples = _samples_of((self.args, self.kwargs)) if samples is None else samples
        self._channels_last = channels_last
        self._on: dict[torch.device, tuple[Any, list[tuple[Tensor, int]]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_on": {}}

    def on(self, device: torch.device) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments on a device. They are copies, made once, and again where a
        model has changed them."""
        arguments, versions = self._on.get(device, (None, []))
        if arguments is None or any(tensor._version != version for tensor, version in versions):

            def copy(tensor: Tensor) -> Tensor:
                tensor = tensor.detach().to(device, copy=True)
                if self._channels_last and tensor.dim() == 4:
                    tensor = tensor.contiguous(memory_format=torch.channels_last)
                return tensor

            with torch.inference_mode(False):  # whose tensors have no version
                arguments = _mapped((self.args, self.kwargs), copy)
            versions = [(tensor, tensor._version) for tensor in _tensors(arguments)]
            self._on[device] = arguments, versions
        return arguments

    def noise(
        self, samples: int, generator: torch.Generator, device: torch.device
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """At most so many samples on the device, with standard normal numbers in place of all that are not
        whole."""

        def drawn(tensor: Tensor) -> Tensor:
            if tensor.dim() > 0 and tensor.shape[0] == self.samples:
                tensor = tensor[:samples]
            if not tensor.is_floating_point():
                return tensor.clone()
            values = torch.randn(
                tensor.shape, generator=generator, device=device, dtype=tensor.dtype
            )
            return torch.empty_like(tensor).copy_(values)

        return _mapped(self.on(device), drawn)


def _mapped(value: Any, function: Any) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Mapping):
        return {name: _mapped(item, function) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):  # a named tuple
        return type(value)(*(_mapped(item, function) for item in value))
    if isinstance(value, tuple | list):
        return type(value)(_mapped(item, function) for item in value)
    return value


def _tensors(value: Any) -> Iterable[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)


def _samples_of(arguments: Any) -> int:
    tensors = [tensor for tensor in _tensors(arguments) if tensor.dim() > 0]
    if not tensors:
        raise ValueError("inputs have no tensor with a first dimension of samples; pass samples=")
    if tensors[0].numel() == 0:
        raise ValueError(f"inputs are empty: shape {list(tensors[0].shape)}")
    return tensors[0].shape[0]
