"""Sees every call of an activation operator on this thread, from whatever code it comes.

``F.relu``, ``x.clamp_(min=0)``, third-party and TorchScript code, fused layers: all of them go through
torch's dispatcher, and are handed to a `Handler` while one is `intercepted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from swapnas_ext import _torch_private

Handler = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""Gets the operator's name (without the underscore of the in-place form), a function that runs it, and
its arguments; returns what the operator is to return."""

if _torch_private.dispatch_keys is not None:
    from swapnas_ext.capture.dispatch_by_key import intercepted, paused, register

    SEES_REPLICATES = True
    """Whether a call under ``torch.func.vmap`` is seen as the model makes it."""

elif _torch_private.TorchDispatchMode is not None:
    from swapnas_ext.capture.dispatch_by_mode import intercepted, paused, register

    SEES_REPLICATES = False

else:
    SEES_REPLICATES = True  # none is seen at all

    def register(name: str) -> None:
        """Operators can't be seen."""

    @contextmanager
    def intercepted(handler: Handler) -> Iterator[None]:
        yield

    def paused() -> AbstractContextManager[Any]:
        return nullcontext()


__all__ = ["SEES_REPLICATES", "Handler", "intercepted", "paused", "register"]
