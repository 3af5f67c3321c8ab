"""Intercepts calls of operators, through a dispatch key or a TorchDispatchMode."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from swapnas_ext._torch_private.names import all_found, found, key_named

INTERCEPTION_KEY = "TESTING_ONLY_GenericMode"
"""Comes before functorch's keys, so that calls under vmap are intercepted as the model makes them."""


@dataclass(frozen=True)
class DispatchKeys:
    """What intercepts operators on a thread.

    Attributes:
        key: the dispatch key of the interception.
        key_set: the key as a set.
        is_included: whether a key is on for this thread.
        set_included: turns a key on or off for this thread.
        excluded: a context in which the keys of a set are off.
    """

    key: Any
    key_set: Any
    is_included: Callable[[Any], bool]
    set_included: Callable[[Any, bool], None]
    excluded: Callable[[Any], AbstractContextManager[object]]


def _dispatch_keys() -> DispatchKeys | None:
    names = all_found(
        "torch._C",
        "DispatchKeySet",
        "_dispatch_key_parse",
        "_dispatch_tls_is_dispatch_key_included",
        "_dispatch_tls_set_dispatch_key_included",
        "_ExcludeDispatchKeyGuard",
    )
    if names is None:
        return None
    key = key_named(names._dispatch_key_parse, INTERCEPTION_KEY)
    if key is None:
        return None
    return DispatchKeys(
        key=key,
        key_set=names.DispatchKeySet(key),
        is_included=names._dispatch_tls_is_dispatch_key_included,
        set_included=names._dispatch_tls_set_dispatch_key_included,
        excluded=names._ExcludeDispatchKeyGuard,
    )


dispatch_keys = _dispatch_keys()
"""None where torch lacks a name."""

TorchDispatchMode: Any = found("torch.utils._python_dispatch.TorchDispatchMode")
"""The class, or None where torch lacks it."""


def may_be_under_dispatch_mode() -> bool:
    """Whether a TorchDispatchMode may be active."""
    depth = found("torch._C._len_torch_dispatch_stack")
    return depth is None or depth() > 0
