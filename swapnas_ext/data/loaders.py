"""Mini-batches from data loaders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor


def first_batch(loader: Iterable[Any], samples: int | None = None) -> Any:
    """The inputs of the first batch of a data loader: the batch itself where it is a tensor or a
    mapping, its first element where it is a tuple or list. Where that element, or the batch, lists as many
    tensors or mappings as the loader's ``batch_size``, one a sample, as batches for detectors do, it is
    a tuple of that list: a model's only argument. So it is where the batch lists a pair of an input and
    its target for each sample, as without a collating function. A tensor and such a list are cut to
    ``samples``.

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
    """The first of each pair in a list of one a sample; None where it is no such list."""
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
        return min(size, len(loader.dataset))
    except (AttributeError, TypeError):  # no such numbers
        return size


def _lists_samples(inputs: Any, batch_size: int | None) -> bool:
    """Where a tensor's first dimension is the batch's size, the samples lie in it."""
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
