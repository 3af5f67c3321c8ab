"""Mini-batches of any kind: what a model is called with, how many samples there are, on which device."""

from __future__ import annotations

import copy
import inspect
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from swapnas_ext import data
from swapnas_ext._torch_private import version_of
from swapnas_ext.models.bundles import bundle_of

_FEW = 4
"""Images of noise: what they tell is a mean over positions too."""

_PLAIN = (
    str,
    bytes,
    bool,
    int,
    float,
    complex,
    type(None),
    type,
    Tensor,
    nn.Module,
    Mapping,
    tuple,
    list,
)
"""Of those that are containers, it is known what is in them; the others have no samples."""

Inputs = Tensor | Sequence[Any] | Mapping[str, Any] | DataLoader[Any]


class MiniBatch:
    """The arguments of a forward pass.

    Args:
        inputs: a tensor; a tuple or list of positional arguments; a mapping of keyword arguments, such as
            a ``BatchEncoding``; or a data loader, whose first batch is taken (of a pair, its first part).
            Arguments may hold tensors in lists, tuples, mappings and attributes of objects:
            ``([image, image, ...],)`` calls a detector with a list. One argument are also a named tuple, a
            ``PackedSequence``, a batch of graphs of PyTorch Geometric, an object with tensors such as a
            dataclass, more images ``[C, H, W]`` than channels, a list of mappings, and a list of S values
            of other first dimensions where ``samples`` is S.
        samples: S; by default what the first argument with tensors tells: the first dimension of a tensor,
            or the length of a list of tensors or of mappings, one a sample. Lists of tensors whose first
            dimension is S, as of feature maps, are told by their shapes and by the other arguments. Of
            a data loader's tensor or list, the first S samples are taken.
        channels_last: images ``[S, C, H, W]`` in that layout.

    Raises:
        TypeError: inputs of another kind.
        ValueError: no samples to be found, or a tensor that is empty, or on the meta device.
    """

    def __init__(
        self, inputs: Inputs, samples: int | None = None, *, channels_last: bool = False
    ) -> None:
        if isinstance(inputs, DataLoader):
            inputs = data.first_batch(inputs, samples)
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        if _is_one_argument(inputs, samples):
            self.args = (inputs,)
        elif isinstance(inputs, Mapping):
            self.kwargs = dict(inputs)
        elif isinstance(inputs, tuple | list):
            self.args = tuple(inputs)
        else:
            raise TypeError(_not_inputs(inputs))
        self._check_values()
        self.samples = (
            _samples_of((*self.args, *self.kwargs.values())) if samples is None else samples
        )
        self._channels_last = channels_last
        self._on: dict[tuple[torch.device, int], tuple[Any, list[tuple[Tensor, int | None]]]] = {}

    def _check_values(self) -> None:
        values = (*self.args, *self.kwargs.values())
        tensors = list(_tensors(values))
        if any(tensor.is_meta for tensor in tensors):
            raise ValueError(
                "inputs are on the meta device and have no values; make them on another, as in a "
                "with torch.device('cpu')"
            )
        unseen = next((value for value in values if not isinstance(value, _PLAIN)), None)
        if not tensors and unseen is not None:
            raise TypeError(_not_inputs(unseen))

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

    def misfit(self, model: nn.Module) -> str | None:
        """Says how to give the inputs where they don't fit a model's arguments; None where they do."""
        try:
            inspect.signature(model.forward).bind(*self.args, **self.kwargs)
        except ValueError:  # no signature, as of TorchScript's
            return None
        except TypeError as error:
            text = f"{type(model).__name__}.forward can't be called with these inputs: {error}; "
            if self.kwargs:
                return (
                    text + "a mapping is keyword arguments: give (inputs,) where it is one argument"
                )
            if len(self.args) == 1:
                return text + "these are one argument: give a tuple where they are several"
            return (
                f"{text}a tuple or list is positional arguments, here {len(self.args)}: give (inputs,) where "
                "it is one argument"
            )
        return None

    def dtypes(self) -> set[torch.dtype]:
        """Of its floating-point tensors."""
        tensors = _tensors((self.args, self.kwargs))
        return {tensor.dtype for tensor in tensors if tensor.is_floating_point()}

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
        values = (*args, *kwargs.values())
        order = [samples.get(sample, sample) for sample in range(self.samples)]
        bundle = bundle_of(next(iter(_holders(values)), None))
        if bundle is not None:
            return _in_order(arguments, order, set())
        firsts = _sample_tensors(values, self.samples)

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
    bundle = bundle_of(value)
    if bundle is not None:
        return bundle.taken(order) if bundle.samples == len(order) else copied(value)
    if isinstance(value, list) and len(value) == len(order) and len(_holders(value)) == len(value):
        return [copied(value[place]) for place in order]
    return _rebuilt(value, lambda item: _in_order(item, order, rows))


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


def _mapped(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    bundle = bundle_of(value)
    if bundle is not None:
        return bundle.mapped(function)
    return _rebuilt(value, lambda item: _mapped(item, function))


def _rebuilt(value: Any, function: Callable[[Any], Any]) -> Any:
    """The same of other items; what has none as it is."""
    if isinstance(value, Mapping):
        return {name: function(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        items = (function(item) for item in value)
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    attributes = _attributes(value)
    if attributes is None:
        return value
    rebuilt = copy.copy(value)
    vars(rebuilt).update((name, function(item)) for name, item in attributes.items())
    return rebuilt


def _tensors(value: Any) -> Iterable[Tensor]:
    if isinstance(value, Tensor):
        yield value
        return
    bundle = bundle_of(value)
    if bundle is not None:
        yield from bundle.tensors
        return
    for item in _items(value):
        yield from _tensors(item)


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, tuple | list):
        return list(value)
    attributes = _attributes(value)
    return [] if attributes is None else list(attributes.values())


def _attributes(value: Any) -> Mapping[str, Any] | None:
    """Of an object that holds tensors, such as a dataclass; None of all else."""
    kind = type(value)
    if issubclass(kind, _PLAIN) or kind.__module__.partition(".")[0] == "torch":
        return None
    attributes = getattr(value, "__dict__", None)
    if not isinstance(attributes, dict):
        return None
    holds_tensors = any(
        isinstance(item, Tensor)
        or (isinstance(item, tuple | list) and item and isinstance(item[0], Tensor))
        for item in attributes.values()
    )
    return attributes if holds_tensors else None


def _with_dimensions(value: Any) -> list[Tensor]:
    return [tensor for tensor in _tensors(value) if tensor.dim() > 0]


def _holders(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if _with_dimensions(value)]


def _is_structure(value: Any) -> bool:
    return not isinstance(value, tuple | list) or hasattr(value, "_fields")


def _is_one_argument(inputs: Any, samples: int | None) -> bool:
    if isinstance(inputs, Tensor) or bundle_of(inputs) is not None:
        return True
    if isinstance(inputs, Mapping):
        return False
    if _is_structure(inputs):
        return hasattr(inputs, "_fields") or _attributes(inputs) is not None
    if len(inputs) < 2 or not all(isinstance(item, Tensor | Mapping) for item in inputs):
        return False
    if all(isinstance(item, Mapping) for item in inputs):
        return isinstance(inputs, list)
    firsts = [tensor for item in inputs for tensor in list(_tensors(item))[:1] if tensor.dim()]
    if len(firsts) < len(inputs):
        return False
    if samples == len(inputs) and any(len(tensor) % samples for tensor in firsts):
        return True
    are_tensors = all(isinstance(item, Tensor) for item in inputs)
    return are_tensors and _are_images(firsts) and len(inputs) > len(firsts[0])


def _not_inputs(value: Any) -> str:
    kind = type(value).__name__
    text = (
        "inputs must be a tensor, a tuple or list of positional arguments, a mapping of keyword "
        f"arguments, or a data loader, got {kind}"
    )
    if isinstance(value, _PLAIN):
        return text
    if isinstance(value, np.ndarray):
        return f"{text}; give torch.from_numpy of it"
    if (
        isinstance(value, Iterable)
        and not isinstance(value, str | bytes)
        and not hasattr(value, "to")
    ):
        return f"{text}; of something like a data loader, give swapnas_ext.data.first_batch of it"
    return (
        f"{text}, in which samples can't be told apart; give tensors of one row a sample, and score a module "
        f"whose forward makes the {kind} of them"
    )


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
    bundle = bundle_of(value)
    if bundle is not None:
        return [bundle.samples]
    items = _items(value)
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
    bundle = bundle_of(value)
    if bundle is not None:
        return list(bundle.tensors[:1])
    items = _items(value)
    if not _is_structure(value) and len(items) == len(_holders(items)) == samples:
        return [_with_dimensions(item)[0] for item in items]
    return _sample_tensors(items, samples)
