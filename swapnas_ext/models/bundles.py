"""Values that hold the samples of a mini-batch in a way of their own: packed sequences, batches of graphs."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence, unpack_sequence


class Bundle(ABC):
    """Of some samples.

    Attributes:
        value: what a model is called with.
        samples: S.
        tensors: in it, those with what is known of the samples first.
    """

    value: Any
    samples: int
    tensors: Sequence[Tensor]

    @abstractmethod
    def mapped(self, function: Callable[[Tensor], Tensor]) -> Any:
        """The same of other tensors."""

    @abstractmethod
    def taken(self, order: Sequence[int]) -> Any:
        """The same of the samples in another order, some of which may be there more than once."""


class Sequences(Bundle):
    def __init__(self, value: PackedSequence) -> None:
        self.value = value
        self.samples = int(value.batch_sizes[0])
        self.tensors = [part for part in value if part is not None]

    def mapped(self, function: Callable[[Tensor], Tensor]) -> PackedSequence:
        # Torch has the sizes on the CPU whatever the device.
        data, batch_sizes, *orders = self.value
        orders = [None if order is None else function(order) for order in orders]
        return PackedSequence(function(data), batch_sizes.clone(), *orders)

    def taken(self, order: Sequence[int]) -> PackedSequence:
        sequences = unpack_sequence(self.value)
        return pack_sequence([sequences[sample] for sample in order], enforce_sorted=False)


class Graphs(Bundle):
    """A ``Batch`` of PyTorch Geometric."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.samples = value.num_graphs
        self.tensors = []
        self.mapped(self._noted)

    def _noted(self, tensor: Tensor) -> Tensor:
        self.tensors.append(tensor)  # type: ignore[attr-defined]
        return tensor

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Any:
        return copy.copy(self.value).apply(function)

    def taken(self, order: Sequence[int]) -> Any:
        graphs = self.value.to_data_list()
        return type(self.value).from_data_list([graphs[sample] for sample in order])


def bundle_of(value: Any) -> Bundle | None:
    """None where it is none."""
    if isinstance(value, PackedSequence):
        return Sequences(value)
    if hasattr(type(value), "to_data_list") and hasattr(type(value), "from_data_list"):
        return Graphs(value)
    return None
