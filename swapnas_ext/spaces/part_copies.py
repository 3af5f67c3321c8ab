"""Builds networks from copies of parts that were made before, where their weights will be overwritten anyway."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import nn

from swapnas_ext._torch_private import (
    CONVOLUTIONS,
    buffers_of,
    can_copy_modules,
    children_of,
    may_be_under_dispatch_mode,
    parameters_of,
)

Part = TypeVar("Part", bound=nn.Module)

_OVERWRITTEN = (*CONVOLUTIONS, nn.Linear)
"""Layers whose weights every known initialiser overwrites."""
_NOT_SHARED = frozenset({dict, OrderedDict, set, list})
"""Types of attributes that a module must not share with its copy."""
_this_thread = threading.local()


@contextmanager
def parts_copied() -> Iterator[None]:
    """A context in which this thread gets copies from functions that are `copied`."""
    outer = getattr(_this_thread, "copies", False)
    _this_thread.copies = True
    try:
        yield
    finally:
        _this_thread.copies = outer


def copied(make: Callable[..., Part]) -> Callable[..., Part]:
    """Lets ``make`` return copies within `parts_copied`, several times as fast as constructors.

    ``make`` then runs once for the same arguments. The module that it returns stays here; callers get copies.
    The weights and biases of convolutions and linear layers in a copy have arbitrary values.
    """
    originals: dict[tuple[Any, ...], Part] = {}

    @wraps(make)
    def made(*args: Any, **options: Any) -> Part:
        if not getattr(_this_thread, "copies", False) or not can_copy_modules:
            return make(*args, **options)
        if may_be_under_dispatch_mode():  # the mode may replace tensors
            return make(*args, **options)
        key = (
            *args,
            *options.items(),
            torch.get_default_dtype(),
            torch.get_default_device(),
        )
        original = originals.get(key)
        if original is None:
            original = originals[key] = make(*args, **options)
        return _copy(original)

    return made


def _copy(module: Part) -> Part:
    """A deep copy of a module whose other attributes are never changed in place."""
    copy = module.__class__.__new__(module.__class__)
    attributes = copy.__dict__
    for name, value in module.__dict__.items():
        kind = type(value)
        if kind in _NOT_SHARED:
            # Nearly all are empty, and copying an empty OrderedDict is slow.
            value = kind(value) if value else kind()
        attributes[name] = value
    new_weight = torch.empty_like if isinstance(module, _OVERWRITTEN) else torch.clone
    for name, parameter in parameters_of(module).items():
        if parameter is not None:
            weight = new_weight(parameter.detach())
            parameters_of(copy)[name] = nn.Parameter(weight, parameter.requires_grad)
    for name, buffer in buffers_of(module).items():
        if buffer is not None:
            buffers_of(copy)[name] = buffer.clone()
    for name, child in children_of(module).items():
        if child is not None:
            children_of(copy)[name] = _copy(child)
    return copy
