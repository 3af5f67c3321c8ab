"""Intercepts every call of an activation operator on this thread, whatever code makes it.

``F.relu``, ``x.clamp_(min=0)``, third-party and TorchScript code and fused layers all go through torch's
dispatcher. While a `Handler` is `intercepted`, their calls go to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from swapnas_ext import _torch_private

Handler = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""Takes the operator's name (without the underscore of the in-place form), a function that runs it, and its
arguments; returns what the operator should return."""

if _torch_private.dispatch_keys is not None:
    from swapnas_ext.capture.dispatch_by_key import intercepted, paused, register

    SEES_REPLICATES = True
    """Whether a call under ``torch.func.vmap`` is intercepted as the model makes it."""
    LOGS_RELUS = True
    """Whether intercepted ReLUs may go to a `patterns.relu_log`."""

elif _torch_private.TorchDispatchMode is not None:
    from swapnas_ext.capture.dispatch_by_mode import intercepted, paused, register

    SEES_REPLICATES = LOGS_RELUS = False

else:
    SEES_REPLICATES = True  # no call is intercepted
    LOGS_RELUS = False

    def register(name: str) -> None:
        """Nothing can be intercepted."""

    @contextmanager
    def intercepted(handler: Handler) -> Iterator[None]:
        yield

    def paused() -> Any:
        return nullcontext()


__all__ = ["LOGS_RELUS", "SEES_REPLICATES", "Handler", "intercepted", "paused", "register"]
