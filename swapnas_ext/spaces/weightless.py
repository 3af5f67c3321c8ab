"""Networks that are built for their sizes alone: without memory, and without drawing weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


@contextmanager
def weightless() -> Iterator[None]:
    """A context in which tensors are made on the meta device, and the initialisers of ``torch.nn.init`` do nothing:
    there they would take most of the time to build a network."""
    with _NothingDrawn(), torch.device("meta"):
        yield


class _NothingDrawn(TorchFunctionMode):
    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        name = getattr(function, "__name__", "")
        if getattr(function, "__module__", "") == "torch.nn.init" and name.endswith("_"):
            return args[0] if args else options["tensor"]
        return function(*args, **options)
