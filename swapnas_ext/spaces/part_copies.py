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

from swapnas_ext._torch_private import (
    CONVOLUTIONS,
    buffers_of,
    can_copy_modules,
    children_of,
    may_be_under_dispatch_mode,
    parameters_of,
)

_KINDS = (*CONVOLUTIONS, nn.Linear)
_lock = threading.Lock()
_originals = {kind: kind.reset_parameters for kind in _KINDS}
_inherits = [kind for kind in _KINDS if "reset_parameters" not in vars(kind)]
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
                for kind in _inherits:
                    del kind.reset_parameters


def _reset_unless_skipping(kind: type[nn.Module]):  # type: ignore[no-untyped-def]
    original = _originals[kind]

    def reset_parameters(module: nn.Module) -> None:
        if not getattr(_skipping, "on", False):
            original(module)

    return reset_parameters


_COPIED = frozenset({dict, OrderedDict, set, list})
Made = TypeVar("Made", bound=nn.Module)


def copied(make: Callable[..., Made]) -> Callable[..., Made]:
    """Within `uninitialized`, has ``make`` make one module for the same arguments, and gives copies of it:
    several times as fast as the constructors. The module itself is never given away."""
    originals: dict[tuple[Any, ...], Made] = {}

    @wraps(make)
    def made(*args: Any, **options: Any) -> Made:
        if not getattr(_skipping, "on", False) or not can_copy_modules:
            return make(*args, **options)
        if may_be_under_dispatch_mode():  # tensors may be of another kind
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


def _copy(module: Made) -> Made:
    """As ``copy.deepcopy``, for modules whose other attributes are not changed in place."""
    copy = module.__class__.__new__(module.__class__)
    attributes = copy.__dict__
    for name, value in module.__dict__.items():
        kind = type(value)
        if kind in _COPIED:
            # Nearly all are empty, and an OrderedDict takes its time to copy nothing.
            value = kind(value) if value else kind()
        attributes[name] = value
    new_weight = torch.empty_like if isinstance(module, _KINDS) else torch.clone
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
