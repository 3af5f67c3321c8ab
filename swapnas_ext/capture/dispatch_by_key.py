"""`dispatch` through torch's dispatcher itself.

Activation operators get kernels at a dispatch key that nothing else uses and that precedes all others. The key is
on only for the thread that runs a model. Other operators fall through at no cost, so an intercepted forward pass
is as fast as a plain one. The kernel of ReLU is compiled (`relu_log`); what it does not do itself it hands to Python.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from swapnas_ext._torch_private import INTERCEPTION_KEY, dispatch_keys
from swapnas_ext.patterns import relu_log

if TYPE_CHECKING:
    from swapnas_ext.capture.dispatch import Handler


assert dispatch_keys is not None  # or else `dispatch` imports another module
_keys = dispatch_keys


class _Thread(threading.local):
    handler: Handler | None = None
    error: BaseException | None = None  # of the handler of a ReLU


_thread = _Thread()
_fallback = torch.library.Library("_", "IMPL", INTERCEPTION_KEY)  # type: ignore[no-untyped-call]
_fallback.fallback(torch.library.fallthrough_kernel, INTERCEPTION_KEY)  # type: ignore[no-untyped-call]
_kernels = torch.library.Library("aten", "IMPL", INTERCEPTION_KEY)  # type: ignore[no-untyped-call]
_registered: set[str] = set()
_registering = threading.Lock()


def register(name: str) -> None:
    """Hands calls of ``torch.ops.aten.<name>`` and of its in-place form to handlers."""
    with _registering:
        if name in _registered:
            return
        for form in (name, f"{name}_"):
            packet = getattr(torch.ops.aten, form, None)
            for overload in ("default", "Tensor"):
                if form == "relu":
                    continue
                if packet is not None and overload in packet.overloads():
                    suffix = "" if overload == "default" else f".{overload}"
                    _kernels.impl(  # type: ignore[no-untyped-call]
                        form + suffix, _kernel(name, getattr(packet, overload))
                    )
        if name == "relu":
            relu_log.register(INTERCEPTION_KEY, _relu_in_python)
        _registered.add(name)


def _kernel(name: str, operator: Any) -> Any:
    def kernel(*args: Any, **kwargs: Any) -> Any:
        handler = _thread.handler
        with paused():
            if handler is None:
                return operator(*args, **kwargs)
            return handler(name, operator, args, kwargs)

    return kernel


_relu = _kernel("relu", torch.ops.aten.relu.default)


def _relu_in_python(x: Tensor) -> Any:
    """What the compiled kernel hands over. An error can't pass through it, so it is kept for `intercepted`."""
    try:
        return _relu(x)
    except BaseException as error:
        _thread.error = error
        raise


@contextmanager
def intercepted(handler: Handler) -> Iterator[None]:
    """Hands every call of a registered operator on this thread to ``handler``, except those that the handler or
    another operator makes."""
    outer = _thread.handler
    was_on = _keys.is_included(_keys.key)
    _thread.handler = handler
    _thread.error = error = None
    _keys.set_included(_keys.key, True)
    try:
        yield
    except RuntimeError as raised:
        error = _thread.error
        if error is None or relu_log.ERROR_IN_PYTHON not in str(raised):
            raise
    finally:
        _keys.set_included(_keys.key, was_on)
        _thread.handler = outer
        _thread.error = None
    if error is not None:
        raise error


def paused() -> Any:
    """A context in which nothing is intercepted on this thread."""
    return _keys.excluded(_keys.key_set)
