"""Handles values that pack the samples of a mini-batch in their own format: packed sequences, batches of graphs."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence, unpack_sequence


class Bundle(ABC):
    """A value that packs samples.

    Attributes:
        value: the argument of the model.
        samples: S.
        tensors: the tensors in the value, those with the data of the samples first.
    """

    value: Any
    samples: int
    tensors: Sequence[Tensor]

    @abstractmethod
    def mapped(self, function: Callable[[Tensor], Tensor]) -> Any:
        """The value with ``function(tensor)`` in the place of each tensor."""

    @abstractmethod
    def taken(self, order: Sequence[int]) -> Any:
        """The value with the samples in another order; a sample may appear several times."""


class Sequences(Bundle):
    """A ``PackedSequence``."""

    def __init__(self, value: PackedSequence) -> None:
        self.value = value
        self.samples = int(value.batch_sizes[0])
        self.tensors = [part for part in value if part is not None]

    def mapped(self, function: Callable[[Tensor], Tensor]) -> PackedSequence:
        # torch keeps the batch sizes on the CPU, whatever the device.
        data, batch_sizes, *orders = self.value
        mapped_orders = [None if order is None else function(order) for order in orders]
        return PackedSequence(function(data), batch_sizes.clone(), *mapped_orders)

    def taken(self, order: Sequence[int]) -> PackedSequence:
        sequences = unpack_sequence(self.value)
        return pack_sequence([sequences[sample] for sample in order], enforce_sorted=False)


class Graphs(Bundle):
    """A ``Batch`` of PyTorch Geometric."""

    tensors: list[Tensor]

    def __init__(self, value: Any) -> None:
        self.value = value
        self.samples = value.num_graphs
        self.tensors = []
        self.mapped(self._noted)

    def _noted(self, tensor: Tensor) -> Tensor:
        self.tensors.append(tensor)
        return tensor

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Any:
        return copy.copy(self.value).apply(function)

    def taken(self, order: Sequence[int]) -> Any:
        graphs = self.value.to_data_list()
        return type(self.value).from_data_list([graphs[sample] for sample in order])


def bundle_of(value: Any) -> Bundle | None:
    """The bundle of a value; None for other values."""
    if isinstance(value, PackedSequence):
        return Sequences(value)
    if hasattr(type(value), "to_data_list") and hasattr(type(value), "from_data_list"):
        return Graphs(value)
    return None
