"""Walks through nested values: finds the tensors in them, and rebuilds them with other tensors.

Values may be nested in tuples, lists, mappings, attributes of objects such as dataclasses, and bundles.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

from swapnas_ext.models.bundles import bundle_of

Value = TypeVar("Value")

PLAIN = (
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
"""Classes whose attributes are not searched for tensors. The containers among them are walked through."""


def tensors_in(value: Any) -> Iterable[Tensor]:
    """All tensors in a value, in order."""
    if isinstance(value, Tensor):
        yield value
        return
    bundle = bundle_of(value)
    if bundle is not None:
        yield from bundle.tensors
        return
    for item in items_of(value):
        yield from tensors_in(item)


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor in a value; None where it has none."""
    return next(iter(tensors_in(value)), None)


def main_input(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The input of a layer: its first tensor argument, or ``input=``; else the first tensor nested in an
    argument; else None."""
    values = (*args, *([kwargs["input"]] if "input" in kwargs else ()), *kwargs.values())
    plain = next((value for value in values if isinstance(value, Tensor)), None)
    return first_tensor(values) if plain is None else plain


def with_dimensions(value: Any) -> list[Tensor]:
    """The tensors in a value that have at least one dimension."""
    return [tensor for tensor in tensors_in(value) if tensor.dim() > 0]


def holders(values: Iterable[Any]) -> list[Any]:
    """The values that hold a tensor with at least one dimension."""
    return [value for value in values if with_dimensions(value)]


def mapped(value: Value, function: Callable[[Tensor], Tensor]) -> Value:
    """The value with ``function(tensor)`` in the place of each tensor."""
    result: Any
    if isinstance(value, Tensor):
        result = function(value)
    elif (bundle := bundle_of(value)) is not None:
        result = bundle.mapped(function)
    else:
        result = rebuilt(value, lambda item: mapped(item, function))
    return result  # type: ignore[no-any-return] # of the same class


def copied(value: Value) -> Value:
    """The value with copies of all tensors."""
    return mapped(value, Tensor.clone)


def rebuilt(value: Any, function: Callable[[Any], Any]) -> Any:
    """The value with ``function(item)`` in the place of each item; the value itself where it has no items."""
    if isinstance(value, Mapping):
        return {name: function(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        items = (function(item) for item in value)
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    attributes = attributes_with_tensors(value)
    if attributes is None:
        return value
    result = copy.copy(value)
    vars(result).update((name, function(item)) for name, item in attributes.items())
    return result


def items_of(value: Any) -> list[Any]:
    """The values directly in a mapping, tuple, list or object with tensors; none for other values."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, tuple | list):
        return list(value)
    attributes = attributes_with_tensors(value)
    return [] if attributes is None else list(attributes.values())


def attributes_with_tensors(value: Any) -> Mapping[str, Any] | None:
    """The attributes of an object that holds tensors, such as a dataclass; None for other values."""
    kind = type(value)
    if issubclass(kind, PLAIN) or kind.__module__.partition(".")[0] == "torch":
        return None
    attributes = getattr(value, "__dict__", None)
    if not isinstance(attributes, dict):
        return None
    has_tensors = any(
        isinstance(item, Tensor)
        or (isinstance(item, tuple | list) and item and isinstance(item[0], Tensor))
        for item in attributes.values()
    )
    return attributes if has_tensors else None


def is_structure(value: Any) -> bool:
    """Whether the items of a value have different meanings: mappings, objects and named tuples, but no lists."""
    return not isinstance(value, tuple | list) or hasattr(value, "_fields")
