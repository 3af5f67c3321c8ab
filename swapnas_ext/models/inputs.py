"""Holds the mini-batch that a model is called with, on any device, and varies its samples."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from swapnas_ext import data
from swapnas_ext._torch_private import version_of
from swapnas_ext._util import shortened
from swapnas_ext.models.bundles import bundle_of
from swapnas_ext.models.nested import PLAIN, copied, holders, mapped, rebuilt, tensors_in
from swapnas_ext.models.sample_count import is_one_argument, sample_tensors, samples_of

_NOISE_IMAGES = 4
"""Images of noise in `MiniBatch.noise`; few are enough, since results are averaged over positions too."""

Inputs = Tensor | Sequence[Any] | Mapping[str, Any] | DataLoader[Any]
CallArguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments of a call."""


class MiniBatch:
    """The arguments of a forward pass.

    Args:
        inputs: a tensor; a tuple or list of positional arguments; a mapping of keyword arguments, such as
            a ``BatchEncoding``; or a data loader, whose first batch is taken (of a pair, its first part).
            CallArguments may hold tensors in lists, tuples, mappings and attributes of objects:
            ``([image, image, ...],)`` calls a detector with a list. These are one argument: a named tuple,
            a ``PackedSequence``, a batch of graphs of PyTorch Geometric, an object with tensors such as a
            dataclass, a sequence of more images ``[C, H, W]`` than channels, a list of mappings, and, where
            ``samples`` is S, a list of S values whose first dimensions are not multiples of S.
        samples: S. By default the first argument with tensors determines it: by the first dimension of a
            tensor, or by the length of a list of tensors or mappings, one for each sample. Shapes and the
            other arguments decide whether the tensors of a list hold all samples, as feature maps do. Of a
            tensor or list from a data loader, the first S samples are taken.
        channels_last: store images ``[S, C, H, W]`` in that layout.

    Raises:
        TypeError: inputs of another kind.
        ValueError: the number of samples is unknown, or a tensor is empty or on the meta device.
    """

    def __init__(
        self, inputs: Inputs, samples: int | None = None, *, channels_last: bool = False
    ) -> None:
        if isinstance(inputs, DataLoader):
            inputs = data.first_batch(inputs, samples)
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        if is_one_argument(inputs, samples):
            self.args = (inputs,)
        elif isinstance(inputs, Mapping):
            self.kwargs = dict(inputs)
        elif isinstance(inputs, tuple | list):
            self.args = tuple(inputs)
        else:
            raise TypeError(_not_inputs(inputs))
        self._check_values()
        self.samples = (
            samples_of((*self.args, *self.kwargs.values())) if samples is None else samples
        )
        self._channels_last = channels_last
        self._on: dict[torch.device, tuple[CallArguments, list[tuple[Tensor, int | None]]]] = {}

    def _check_values(self) -> None:
        values = (*self.args, *self.kwargs.values())
        tensors = list(tensors_in(values))
        if any(tensor.is_meta for tensor in tensors):
            raise ValueError(
                "inputs are on the meta device and have no values; make them on another, as in a "
                "with torch.device('cpu')"
            )
        opaque = next((value for value in values if not isinstance(value, PLAIN)), None)
        if not tensors and opaque is not None:
            raise TypeError(_not_inputs(opaque))

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_on": {}}

    def on(self, device: torch.device) -> CallArguments:
        """The arguments on a device, as copies. They are made once, and anew when a model has changed them."""
        known = self._on.get(device)
        if known is not None and all(
            version is not None and version_of(tensor) == version for tensor, version in known[1]
        ):
            return known[0]

        def copy(tensor: Tensor) -> Tensor:
            tensor = tensor.detach().to(device, copy=True)
            if self._channels_last and tensor.dim() == 4:
                tensor = tensor.contiguous(memory_format=torch.channels_last)
            return tensor

        with torch.inference_mode(False):  # tensors of inference mode have no version
            arguments = mapped((self.args, self.kwargs), copy)
        self._on[device] = (
            arguments,
            [(tensor, version_of(tensor)) for tensor in tensors_in(arguments)],
        )
        return arguments

    def misfit(self, model: nn.Module) -> str | None:
        """Why a model can't be called with the inputs, and how to give them; None where it can."""
        try:
            inspect.signature(model.forward).bind(*self.args, **self.kwargs)
        except ValueError:  # TorchScript has no signature
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

    def shapes(self) -> str:
        """Shapes and types of its tensors, for people."""
        tensors = tensors_in((*self.args, *self.kwargs.values()))
        shown = [
            f"{str(one.dtype).removeprefix('torch.')}[{', '.join(map(str, one.shape))}]"
            for one in tensors
        ]
        return shortened(" ".join(shown) or "no tensors")

    def dtypes(self) -> set[torch.dtype]:
        """The dtypes of the floating-point tensors."""
        tensors = tensors_in((self.args, self.kwargs))
        return {tensor.dtype for tensor in tensors if tensor.is_floating_point()}

    def in_order(self, order: Sequence[int], device: torch.device) -> CallArguments:
        """Copies of the arguments with the samples in another order.

        This reorders tensors whose first dimension is S or that of the first sample tensor, and lists of S
        values that each hold tensors.
        """
        arguments = self.on(device)
        rows = self._rows(self._firsts(arguments))
        reordered: CallArguments = _taken(arguments, list(order), rows, self.samples)
        return reordered

    def varied(
        self,
        function: Callable[[Tensor], Tensor],
        device: torch.device,
        samples: Sequence[int] | None = None,
    ) -> CallArguments:
        """Copies of the arguments with ``function(tensor)``, of the same shape, in place of the first tensor, or of the
        first tensor of each sample where samples are listed.

        Args:
            samples: which of them to take; by default all. What `in_order` reorders is cut to these.
        """
        arguments = self.on(device)
        firsts = self._firsts(arguments)

        def changed(tensor: Tensor) -> Tensor:
            is_first = any(tensor is first for first in firsts)
            return function(tensor) if is_first else tensor.clone()

        everything = mapped(arguments, changed)
        if samples is None:
            return everything
        some: CallArguments = _taken(everything, list(samples), self._rows(firsts), self.samples)
        return some

    def _firsts(self, arguments: CallArguments) -> list[Tensor]:
        args, kwargs = arguments
        return sample_tensors((*args, *kwargs.values()), self.samples)

    def _rows(self, firsts: Sequence[Tensor]) -> set[int]:
        """The first dimensions of tensors that hold all samples."""
        return {self.samples, *map(len, firsts[:1])}

    def replaced(self, samples: Mapping[int, int], device: torch.device) -> CallArguments:
        """Copies of the arguments with some samples (keys) replaced by others (values).

        This changes only the first tensor, or the first tensor of each sample where samples are listed.
        """
        args, kwargs = arguments = self.on(device)
        values = (*args, *kwargs.values())
        order = [samples.get(sample, sample) for sample in range(self.samples)]
        bundle = bundle_of(next(iter(holders(values)), None))
        if bundle is not None:
            taken: CallArguments = _taken(arguments, order, set(), self.samples)
            return taken
        firsts = sample_tensors(values, self.samples)

        def replacement(tensor: Tensor) -> Tensor:
            place = next((i for i, first in enumerate(firsts) if tensor is first), None)
            if place is None:
                return tensor.clone()
            if len(firsts) == 1:
                reordered: Tensor = _taken(tensor, order, {len(tensor)}, self.samples)
                return reordered
            other = firsts[order[place]]
            return (other if other.shape == tensor.shape else tensor.flip(-1)).clone()

        return mapped(arguments, replacement)

    def noise(self, generator: torch.Generator, device: torch.device) -> CallArguments:
        """The arguments with standard normal numbers in place of the first tensor, or of the first tensor of
        each sample where samples are listed. Tensors of integers stay. A single tensor of images is cut to
        four samples."""
        args, kwargs = arguments = self.on(device)
        firsts = sample_tensors((*args, *kwargs.values()), self.samples)
        is_images = len(firsts) == len(list(tensors_in(arguments))) == 1 and firsts[0].dim() == 4

        def drawn(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point() or all(tensor is not first for first in firsts):
                return tensor.clone()
            like = tensor[:_NOISE_IMAGES] if is_images else tensor
            values = torch.randn(like.shape, generator=generator, device=device, dtype=like.dtype)
            return torch.empty_like(like).copy_(values)

        return mapped(arguments, drawn)

    def pairs_of_noise(
        self, generator: torch.Generator, device: torch.device, pairs: int
    ) -> CallArguments | None:
        """The arguments of `noise` for a few samples, followed by the same once more. All tensors are cut to
        ``2 * pairs`` rows.

        None unless all tensors certainly hold images or sequences, one a sample.
        """
        args, kwargs = arguments = self.on(device)
        firsts = sample_tensors((*args, *kwargs.values()), self.samples)
        tensors = list(tensors_in(arguments))
        if len(firsts) != 1 or self.samples < pairs or not all(map(self._holds_rows, tensors)):
            return None
        first = firsts[0]
        if first.is_floating_point() and first.dim() < 3:  # rows of numbers, without positions
            return None

        def twice(tensor: Tensor) -> Tensor:
            few = tensor[:pairs]
            if tensor is first and tensor.is_floating_point():
                drawn = torch.randn(few.shape, generator=generator, device=device, dtype=few.dtype)
                few = torch.empty_like(few).copy_(drawn)
            return torch.cat([few, few])

        return mapped(arguments, twice)

    def _holds_rows(self, tensor: Tensor) -> bool:
        return (
            tensor.layout == torch.strided
            and tensor.dim() > 1
            and len(tensor) == self.samples
            # A square matrix may be anything, such as a mask of as many positions.
            and (tensor.dim() > 2 or tensor.shape[1] not in (1, self.samples))
        )


def _taken(value: Any, order: list[int], rows: set[int], samples: int) -> Any:
    """A copy of a value with these of its samples, in this order, in tensors whose first dimension is in ``rows``."""
    if isinstance(value, Tensor):
        if value.dim() == 0 or len(value) not in rows or len(value) % samples:
            return value.clone()
        by_sample: Tensor = value.unflatten(0, (samples, -1))  # type: ignore[no-untyped-call] # torch
        return by_sample[order].flatten(0, 1)
    bundle = bundle_of(value)
    if bundle is not None:
        return bundle.taken(order) if bundle.samples == samples else copied(value)
    if isinstance(value, list) and len(value) == samples and len(holders(value)) == len(value):
        return [copied(value[place]) for place in order]
    return rebuilt(value, lambda item: _taken(item, order, rows, samples))


def _not_inputs(value: Any) -> str:
    kind = type(value).__name__
    text = (
        "inputs must be a tensor, a tuple or list of positional arguments, a mapping of keyword "
        f"arguments, or a data loader, got {kind}"
    )
    if isinstance(value, PLAIN):
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
        f"{text}, whose samples are unknown; give tensors with one row for each sample, and score a "
        f"module whose forward makes the {kind} from them"
    )
