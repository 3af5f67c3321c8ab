"""Infers how many samples there are in the arguments of a model, and which tensors hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from swapnas_ext.models.bundles import bundle_of
from swapnas_ext.models.nested import (
    attributes_with_tensors,
    holders,
    is_structure,
    items_of,
    tensors_in,
    with_dimensions,
)

_CHANNELS_OF_IMAGES = {1, 3, 4}


def samples_of(values: Sequence[Any]) -> int:
    """S, from the first argument with tensors; where that allows several numbers, the one that most other
    arguments allow too.

    Raises:
        ValueError: no tensor has a first dimension, or the tensors are empty.
    """
    candidates = holders(values)
    if not candidates:
        raise ValueError(
            "inputs have no tensor with a first dimension of samples, and no list of tensors, one for "
            "each sample; pass samples="
        )
    first, *others = candidates
    tensors = with_dimensions(first)
    if not any(tensor.numel() for tensor in tensors):
        raise ValueError(f"inputs are empty: shape {list(tensors[0].shape)}")
    allowed_by_others = [count for other in others for count in set(_possible_samples(other))]
    return max(_possible_samples(first), key=allowed_by_others.count)


def sample_tensors(values: Sequence[Any], samples: int) -> list[Tensor]:
    """The tensors that hold the samples: the first tensor, or the first tensor of each sample where the first
    argument lists one value for each."""
    value = next(iter(holders(values)), None)
    if value is None or isinstance(value, Tensor):
        return [] if value is None else [value]
    bundle = bundle_of(value)
    if bundle is not None:
        return list(bundle.tensors[:1])
    items = items_of(value)
    if not is_structure(value) and len(items) == len(holders(items)) == samples:
        return [with_dimensions(item)[0] for item in items]
    return sample_tensors(items, samples)


def is_one_argument(inputs: Any, samples: int | None) -> bool:
    """Whether inputs are the only argument of a model, rather than several in a sequence or mapping."""
    if isinstance(inputs, Tensor) or bundle_of(inputs) is not None:
        return True
    if isinstance(inputs, Mapping):
        return False
    if is_structure(inputs):
        return hasattr(inputs, "_fields") or attributes_with_tensors(inputs) is not None
    if len(inputs) < 2 or not all(isinstance(item, Tensor | Mapping) for item in inputs):
        return False
    if all(isinstance(item, Mapping) for item in inputs):
        return isinstance(inputs, list)
    firsts = [tensor for item in inputs for tensor in list(tensors_in(item))[:1] if tensor.dim()]
    if len(firsts) < len(inputs):
        return False
    if samples == len(inputs) and any(len(tensor) % samples for tensor in firsts):
        return True
    are_tensors = all(isinstance(item, Tensor) for item in inputs)
    return are_tensors and _are_images(firsts) and len(inputs) > len(firsts[0])


def _possible_samples(value: Any) -> list[int]:
    """How many samples a value with tensors may hold, the likeliest number first."""
    if isinstance(value, Tensor):
        return [value.size(0)]
    bundle = bundle_of(value)
    if bundle is not None:
        return [bundle.samples]
    items = items_of(value)
    with_tensors = holders(items)
    within = _possible_samples(with_tensors[0])
    if is_structure(value) or len(with_tensors) < len(items):
        return within
    tensors = [item for item in items if isinstance(item, Tensor)]
    is_list = isinstance(value, list)
    if len(tensors) == len(items):
        if _are_images(tensors) and (is_list or len(items) > len(tensors[0])):
            return [len(items)]
        lists_samples = is_list and not _are_batches(tensors)
    else:
        lists_samples = is_list or all(isinstance(item, Mapping) for item in items)
    return [len(items), *within] if lists_samples else [*within, len(items)]


def _are_images(tensors: Sequence[Tensor]) -> bool:
    """Whether the tensors are images ``[C, H, W]`` with one number of channels."""
    channels = {len(tensor) for tensor in tensors}
    return (
        {tensor.dim() for tensor in tensors} == {3}
        and len(channels) == 1
        and channels <= _CHANNELS_OF_IMAGES
    )


def _are_batches(tensors: Sequence[Tensor]) -> bool:
    """Whether each tensor of a list probably holds all samples, rather than one sample."""
    ranks = {tensor.dim() for tensor in tensors}
    if len(tensors) == 1 or len(ranks) > 1:
        return True
    if len({len(tensor) for tensor in tensors}) > 1:
        return False
    if ranks == {
        2
    }:  # features of several widths; sequences differ in their first dimension instead
        return len({tensor.shape for tensor in tensors}) > 1
    return min(ranks) > 3 and len(tensors[0]) > len(tensors)
