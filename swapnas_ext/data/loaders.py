"""Takes a mini-batch from a data loader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor


def first_batch(loader: Iterable[Any], samples: int | None = None) -> Any:
    """The inputs of the first batch of a data loader.

    * A batch that is a tensor or a mapping: the batch itself.
    * A batch that is a tuple or list: its first element.
    * A batch, or first element, that lists one tensor or mapping for each sample, as batches for detectors
      do: a tuple with that list, the model's only argument. There are as many as the loader's
      ``batch_size``.
    * A batch that lists a pair of an input and its target for each sample, as without a collating function:
      a tuple with the list of the inputs.

    A tensor and such a list are cut to ``samples``.

    Raises:
        ValueError: an empty loader, or a batch of fewer than ``samples``.
    """
    for batch in loader:
        size = _batch_size(loader)
        if _lists_samples(batch, size):
            return (list(_first(batch, samples)),)
        inputs = batch[0] if isinstance(batch, tuple | list) else batch
        parts = _first_parts(batch, size)
        if parts is not None and not (_lists_samples(inputs, size) and _are_alike(inputs)):
            return (list(_first(parts, samples)),)
        if _lists_samples(inputs, size):
            return (list(_first(inputs, samples)),)
        return _first(inputs, samples) if isinstance(inputs, Tensor) else inputs
    raise ValueError("the data loader is empty")


def _first_parts(batch: Any, size: int | None) -> list[Any] | None:
    """The first elements of a list of pairs, one for each sample; None for any other batch."""
    if not isinstance(batch, tuple | list) or not all(
        isinstance(i, tuple | list) and i for i in batch
    ):
        return None
    parts = [item[0] for item in batch]
    return parts if _lists_samples(parts, size) and _are_alike(parts) else None


def _are_alike(values: Any) -> bool:
    kinds = {(type(value), value.dim() if isinstance(value, Tensor) else 0) for value in values}
    return len(kinds) == 1


def _first(inputs: Any, samples: int | None) -> Any:
    if samples is not None and len(inputs) < samples:
        raise ValueError(
            f"the first batch has {len(inputs)} samples, {samples} are wanted; "
            f"use batch_size={samples} or more"
        )
    return inputs[:samples]


def _batch_size(loader: Any) -> int | None:
    size = getattr(loader, "batch_size", None)
    if size is None:
        size = getattr(getattr(loader, "batch_sampler", None), "batch_size", None)
    try:
        return min(size, len(loader.dataset))  # type: ignore[type-var] # None raises TypeError
    except (AttributeError, TypeError):  # no batch size, or no length of the dataset
        return size


def _lists_samples(inputs: Any, batch_size: int | None) -> bool:
    """Whether inputs are a list of one tensor or mapping for each sample.

    They are not where the first dimension of a tensor is the batch size: that dimension holds the samples.
    """
    if not isinstance(inputs, tuple | list) or len(inputs) != batch_size:
        return False
    tensors: list[Tensor] = []
    for item in inputs:
        if isinstance(item, Tensor):
            tensors.append(item)
        elif isinstance(item, Mapping):
            tensors += [value for value in item.values() if isinstance(value, Tensor)]
        else:
            return False
    return bool(tensors) and all(tensor.shape[:1] != (batch_size,) for tensor in tensors)
