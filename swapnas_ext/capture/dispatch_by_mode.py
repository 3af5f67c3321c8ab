"""`dispatch` through a ``TorchDispatchMode``, which takes every operator of a model through Python. For versions of
torch whose dispatcher can't intercept a few operators alone.

A mode gets operators after torch has decomposed them: a ReLU6 is a hardtanh from 0 to 6. It gets nothing of what a
fused operator does inside, so torch's fused encoder layers run in their parts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from swapnas_ext._torch_private import TorchDispatchMode

if TYPE_CHECKING:
    from swapnas_ext.capture.dispatch import Handler


class _Thread(threading.local):
    is_paused = False


_thread = _Thread()
_registered: dict[Any, str] = {}
"""Names by operator."""
_SEEN_AS = {
    "prelu": ("_prelu_kernel",),
    "rrelu": ("rrelu_with_noise",),
    "log_sigmoid": ("log_sigmoid_forward",),
}
"""What torch has made of an operator before a mode gets it."""


def register(name: str) -> None:
    """Hands calls of ``torch.ops.aten.<name>`` and of its in-place form to handlers."""
    for form in (
        name,
        f"{name}_",
        *(part + end for part in _SEEN_AS.get(name, ()) for end in ("", "_")),
    ):
        packet = getattr(torch.ops.aten, form, None)
        for overload in ("default", "Tensor"):
            if packet is not None and overload in packet.overloads():
                _registered[getattr(packet, overload)] = name


class _Watch(TorchDispatchMode):  # type: ignore[misc]
    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._handler = handler

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = None if _thread.is_paused else _registered.get(func)
        if name is None:
            if torch.is_inference_mode_enabled():  # operators come in one piece there
                with self:
                    result = func.decompose(*args, **(kwargs or {}))
                if result is not NotImplemented:
                    return result
            return func(*args, **(kwargs or {}))
        with paused():
            return self._handler(name, func, args, kwargs or {})


@contextmanager
def intercepted(handler: Handler) -> Iterator[None]:
    """Hands every call of a registered operator on this thread to ``handler``, except those that the handler
    makes."""
    with _unfused(), _Watch(handler):
        yield


_unfused_lock = threading.Lock()
_unfused_users = 0
_was_fused = True


@contextmanager
def _unfused() -> Iterator[None]:
    """Turns torch's fused encoder layers off for the process: the first thread that needs it does, and the last
    one turns them on again."""
    global _unfused_users, _was_fused
    with _unfused_lock:
        if _unfused_users == 0:
            _was_fused = torch.backends.mha.get_fastpath_enabled()
            torch.backends.mha.set_fastpath_enabled(False)
        _unfused_users += 1
    try:
        yield
    finally:
        with _unfused_lock:
            _unfused_users -= 1
            if _unfused_users == 0:
                torch.backends.mha.set_fastpath_enabled(_was_fused)


@contextmanager
def paused() -> Iterator[None]:
    """A context in which nothing is intercepted on this thread."""
    before, _thread.is_paused = _thread.is_paused, True
    try:
        yield
    finally:
        _thread.is_paused = before
