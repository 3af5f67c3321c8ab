"""Mini-batches of any kind: what a model is called with, how many samples there are, on which device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from swapnas_ext import data
from swapnas_ext._torch_private import version_of

_FEW = 4
"""Images of noise: what they tell is a mean over positions too."""

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
        self._on: dict[torch.device, tuple[Any, list[tuple[Tensor, int | None]]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_on": {}}

    def on(self, device: torch.device) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments on a device. They are copies, made once, and again where a
        model has changed them."""
        arguments, versions = self._on.get(device, (None, []))
        if arguments is None or any(
            version is None or version_of(tensor) != version for tensor, version in versions
        ):

            def copy(tensor: Tensor) -> Tensor:
                tensor = tensor.detach().to(device, copy=True)
                if self._channels_last and tensor.dim() == 4:
                    tensor = tensor.contiguous(memory_format=torch.channels_last)
                return tensor

            with torch.inference_mode(False):  # whose tensors have no version
                arguments = _mapped((self.args, self.kwargs), copy)
            versions = [(tensor, version_of(tensor)) for tensor in _tensors(arguments)]
            self._on[device] = arguments, versions
        return arguments

    def noise(
        self, generator: torch.Generator, device: torch.device
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Standard normal numbers on the device in place of the first tensor, where that is not of whole
        numbers; all else as it is. Of images alone, four samples."""
        arguments = self.on(device)
        first, *others = _tensors(arguments)
        few = first.dim() == 4 and not others

        def drawn(tensor: Tensor) -> Tensor:
            if tensor is not first or not tensor.is_floating_point():
                return tensor.clone()
            like = tensor[:_FEW] if few else tensor
            values = torch.randn(like.shape, generator=generator, device=device, dtype=like.dtype)
            return torch.empty_like(like).copy_(values)

        return _mapped(arguments, drawn)


def copied(value: Any) -> Any:
    """The same with copies of all tensors."""
    return _mapped(value, Tensor.clone)


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
