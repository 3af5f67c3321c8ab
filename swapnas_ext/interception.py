"""Sees every call of an activation operator on this thread, from whatever code it comes.

``F.relu``, ``x.clamp_(min=0)``, third-party and TorchScript code, fused layers: all of them go through
torch's dispatcher. Kernels for the activation operators alone are registered at a dispatch key that is
otherwise unused and above all others, and that is switched on for one thread only while a model runs
there. Operators without such a kernel fall through at no cost, so a forward pass under interception runs
as fast as without; a ``TorchDispatchMode`` would take every operator of the model through Python.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

# Named for the tests of the dispatcher, which do not run here; part of every torch since 1.8. It lies
# above functorch's keys, so that a call under vmap is seen as the model makes it.
_KEY_NAME = "TESTING_ONLY_GenericMode"
_KEY = torch._C._dispatch_key_parse(_KEY_NAME)
_KEYS = torch._C.DispatchKeySet(_KEY)

Handler = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""Gets the operator's name (without the underscore of the in-place form), a function that runs it, and
its arguments; returns what the operator is to return."""


class _Thread(threading.local):
    handler: Handler | None = None


_thread = _Thread()
_fallback = torch.library.Library("_", "IMPL", _KEY_NAME)
_fallback.fallback(torch.library.fallthrough_kernel, _KEY_NAME)
_kernels = torch.library.Library("aten", "IMPL", _KEY_NAME)
_registered: set[str] = set()
_registering = threading.Lock()


def register(name: str) -> None:
    """Makes calls of ``torch.ops.aten.<name>``, and of its in-place form, visible to handlers."""
    with _registering:
        if name in _registered:
            return
        for form in (name, f"{name}_"):
            packet = getattr(torch.ops.aten, form, None)
            for overload in ("default", "Tensor"):
                if packet is not None and overload in packet.overloads():
                    _register_overload(name, getattr(packet, overload))
        _registered.add(name)


def _register_overload(name: str, operator: Any) -> None:
    def kernel(*args: Any, **kwargs: Any) -> Any:
        handler = _thread.handler
        with paused():
            if handler is None:
                return operator(*args, **kwargs)
            return handler(name, operator, args, kwargs)

    overload = operator._overloadname
    suffix = "" if overload == "default" else f".{overload}"
    _kernels.impl(operator._schema.name.removeprefix("aten::") + suffix, kernel)


@contextmanager
def intercepted(handler: Handler) -> Iterator[None]:
    """Hands every call of a registered operator on this thread to ``handler``. What the handler itself
    calls is not handed to it, nor what an operator is made of."""
    outer = _thread.handler
    was_on = torch._C._dispatch_tls_is_dispatch_key_included(_KEY)
    _thread.handler = handler
    torch._C._dispatch_tls_set_dispatch_key_included(_KEY, True)
    try:
        yield
    finally:
        torch._C._dispatch_tls_set_dispatch_key_included(_KEY, was_on)
        _thread.handler = outer


def paused() -> Any:
    """A context in which nothing is intercepted on this thread."""
    return torch._C._ExcludeDispatchKeyGuard(_KEYS)
