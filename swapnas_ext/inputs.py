"""Mini-batches of any kind: what a model is called with, how many samples there are, on which device."""

from __future__ import annotations

import threading
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
            Arguments may hold tensors in lists, tuples and mappings: ``([image, image, ...],)`` calls a
            detector with a list.
        samples: S; by default what the first argument with tensors tells: the first dimension of a tensor,
            or the length of a list of tensors or of mappings, one a sample. Lists of tensors whose first
            dimension is S, as of feature maps, are told by their shapes and by the other arguments. Of
            a data loader's tensor or list, the first S samples are taken.
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
        self.samples = (
            _samples_of((*self.args, *self.kwargs.values())) if samples is None else samples
        )
        self._channels_last = channels_last
        self._on: dict[tuple[torch.device, int], tuple[Any, list[tuple[Tensor, int | None]]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_on": {}}

    def on(self, device: torch.device) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments on a device. They are copies, made once, and again where a
        model has changed them."""
        key = device, threading.get_ident()  # a model may write to what it is called with
        arguments, versions = self._on.get(key, (None, []))
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
            self._on[key] = arguments, versions
        return arguments

    def in_order(
        self, order: Sequence[int], device: torch.device
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with the samples in another order: of tensors whose first dimension is S, or that of
        the first of them, and of lists of S values with tensors in them. All are copies."""
        args, kwargs = arguments = self.on(device)
        first = next(iter(_sample_tensors((*args, *kwargs.values()), self.samples)), None)
        rows = {self.samples} if first is None else {self.samples, len(first)}
        return _in_order(arguments, list(order), rows)

    def replaced(
        self, samples: Mapping[int, int], device: torch.device
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with some samples (keys) replaced by others (values), in the first tensor, or the first
        of each sample where they are listed. All are copies."""
        args, kwargs = arguments = self.on(device)
        firsts = _sample_tensors((*args, *kwargs.values()), self.samples)
        order = [samples.get(sample, sample) for sample in range(self.samples)]

        def other(tensor: Tensor) -> Tensor:
            place = next((i for i, first in enumerate(firsts) if tensor is first), None)
            if place is None:
                return tensor.clone()
            if len(firsts) == 1:
                return _in_order(tensor, order, {len(tensor)})
            listed = firsts[order[place]]
            return (listed if listed.shape == tensor.shape else tensor.flip(-1)).clone()

        return _mapped(arguments, other)

    def noise(
        self, generator: torch.Generator, device: torch.device
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Standard normal numbers on the device in place of the first tensor, or of each sample's first
        where they are listed, unless it is of whole numbers; all else as it is. Of images alone, four
        samples."""
        args, kwargs = arguments = self.on(device)
        firsts = _sample_tensors((*args, *kwargs.values()), self.samples)
        few = len(firsts) == len(list(_tensors(arguments))) == 1 and firsts[0].dim() == 4

        def drawn(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point() or all(tensor is not first for first in firsts):
                return tensor.clone()
            like = tensor[:_FEW] if few else tensor
            values = torch.randn(like.shape, generator=generator, device=device, dtype=like.dtype)
            return torch.empty_like(like).copy_(values)

        return _mapped(arguments, drawn)


def _in_order(value: Any, order: list[int], rows: set[int]) -> Any:
    if isinstance(value, Tensor):
        if value.dim() == 0 or len(value) not in rows or len(value) % len(order):
            return value.clone()
        return value.unflatten(0, (len(order), -1))[order].flatten(0, 1)
    if isinstance(value, Mapping):
        return {name: _in_order(item, order, rows) for name, item in value.items()}
    if isinstance(value, list) and len(value) == len(order) and len(_holders(value)) == len(value):
        return [copied(value[place]) for place in order]
    if isinstance(value, tuple | list):
        items = (_in_order(item, order, rows) for item in value)
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def copied(value: Any) -> Any:
    """The same with copies of all tensors."""
    return _mapped(value, Tensor.clone)


def main_input(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What a layer is called on: its first tensor, or ``input=``; the first within others where there is none."""
    values = (*args, *([kwargs["input"]] if "input" in kwargs else ()), *kwargs.values())
    plain = next((value for value in values if isinstance(value, Tensor)), None)
    return first_tensor(values) if plain is None else plain


def first_tensor(value: Any) -> Tensor | None:
    """Within tuples, lists and mappings too."""
    return next(iter(_tensors(value)), None)


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


def _with_dimensions(value: Any) -> list[Tensor]:
    return [tensor for tensor in _tensors(value) if tensor.dim() > 0]


def _holders(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if _with_dimensions(value)]


def _is_structure(value: Any) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "_fields")


def _samples_of(values: Sequence[Any]) -> int:
    holders = _holders(values)
    if not holders:
        raise ValueError(
            "inputs have no tensor with a first dimension of samples, and no list of tensors of one "
            "a sample; pass samples="
        )
    first, *others = holders
    tensors = _with_dimensions(first)
    if not any(tensor.numel() for tensor in tensors):
        raise ValueError(f"inputs are empty: shape {list(tensors[0].shape)}")
    told_by_others = [count for other in others for count in set(_possible_samples(other))]
    return max(_possible_samples(first), key=told_by_others.count)  # the first of those as frequent


def _possible_samples(value: Any) -> list[int]:
    """How many samples a value with tensors may hold, the likeliest number first."""
    if isinstance(value, Tensor):
        return [value.size(0)]
    items = list(value.values()) if isinstance(value, Mapping) else list(value)
    holders = _holders(items)
    within = _possible_samples(holders[0])
    if _is_structure(value) or len(holders) < len(items):
        return within
    tensors = [item for item in items if isinstance(item, Tensor)]
    is_list = isinstance(value, list)
    if len(tensors) == len(items):
        if _are_images(tensors) and (is_list or len(items) > len(tensors[0])):
            return [len(items)]
        listed = is_list and not _are_batches(tensors)
    else:
        listed = is_list or all(isinstance(item, Mapping) for item in items)
    return [len(items), *within] if listed else [*within, len(items)]


def _are_images(tensors: Sequence[Tensor]) -> bool:
    channels = {len(tensor) for tensor in tensors}
    return (
        {tensor.dim() for tensor in tensors} == {3} and len(channels) == 1 and channels <= {1, 3, 4}
    )


def _are_batches(tensors: Sequence[Tensor]) -> bool:
    """Whether the tensors of a list are more likely arguments of all samples than of one sample each."""
    ranks = {tensor.dim() for tensor in tensors}
    if len(tensors) == 1 or len(ranks) > 1:
        return True
    if len({len(tensor) for tensor in tensors}) > 1:
        return False
    if ranks == {2}:  # features of several widths; sequences differ in their first dimension
        return len({tensor.shape for tensor in tensors}) > 1
    return min(ranks) > 3 and len(tensors[0]) > len(tensors)


def _sample_tensors(values: Sequence[Any], samples: int) -> list[Tensor]:
    """The first tensor; or the first of each sample, where a list of them comes first."""
    value = next(iter(_holders(values)), None)
    if value is None or isinstance(value, Tensor):
        return [] if value is None else [value]
    items = list(value.values()) if isinstance(value, Mapping) else list(value)
    if not _is_structure(value) and len(items) == len(_holders(items)) == samples:
        return [_with_dimensions(item)[0] for item in items]
    return _sample_tensors(items, samples)
