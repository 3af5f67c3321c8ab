"""Building networks whose weights will be overwritten anyway."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

_KINDS = (_ConvNd, nn.Linear)
_lock = threading.Lock()
_originals = {kind: kind.reset_parameters for kind in _KINDS}
_users = 0  # threads inside `uninitialized`
_skipping = threading.local()


@contextmanager
def uninitialized() -> Iterator[None]:
    """Convolutions and linear layers that this thread makes meanwhile are not initialised: their weights
    and biases are whatever was in the memory. A third of the time that a NAS-Bench-201 network takes to
    build."""
    global _users
    with _lock:
        if _users == 0:
            for kind in _KINDS:
                kind.reset_parameters = _reset_unless_skipping(kind)
        _users += 1
    outer, _skipping.on = getattr(_skipping, "on", False), True
    try:
        yield
    finally:
        _skipping.on = outer
        with _lock:
            _users -= 1
            if _users == 0:
                for kind in _KINDS:
                    kind.reset_parameters = _originals[kind]


def _reset_unless_skipping(kind: type[nn.Module]):  # type: ignore[no-untyped-def]
    original = _originals[kind]

    def reset_parameters(module: nn.Module) -> None:
        if not getattr(_skipping, "on", False):
            original(module)

    return reset_parameters


Made = TypeVar("Made", bound=nn.Module)


def copied(make: Callable[..., Made]) -> Callable[..., Made]:
    """Within `uninitialized`, has ``make`` make one module for the same arguments, and gives copies of it:
    several times as fast as the constructors. The module itself is never given away."""
    originals: dict[tuple[Any, ...], Made] = {}

    @wraps(make)
    def made(*args: Any, **options: Any) -> Made:
        if not getattr(_skipping, "on", False) or torch._C._len_torch_dispatch_stack() > 0:
            return make(*args, **options)  # under a mode, tensors may be of another kind
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


def _copy(module: Made) -> Made:
    """As ``copy.deepcopy``, for modules whose other attributes are not changed in place."""
    copy = module.__class__.__new__(module.__class__)
    attributes = copy.__dict__
    for name, value in module.__dict__.items():
        kind = type(value)
        if kind in _CONTAINERS:
            # Nearly all are empty, and an OrderedDict takes its time to copy nothing.
            value = kind(value) if value else kind()
        attributes[name] = value
    new_weight = torch.empty_like if isinstance(module, _KINDS) else torch.clone
    for name, parameter in module._parameters.items():
        if parameter is not None:
            weight = new_weight(parameter.detach())
            copy._parameters[name] = nn.Parameter(weight, parameter.requires_grad)
    for name, buffer in module._buffers.items():
        if buffer is not None:
            copy._buffers[name] = buffer.clone()
    for name, child in module._modules.items():
        if child is not None:
            copy._modules[name] = _copy(child)
    return copy


_CONTAINERS = frozenset({dict, OrderedDict, set, list})
