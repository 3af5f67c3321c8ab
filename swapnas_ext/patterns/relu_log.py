"""ReLUs whose patterns the compiled part takes where torch's dispatcher meets them, without Python between the layers
of a network: see csrc/torch/relu_capture.h.

ReLU modules get a forward that names them to the log. What the compiled part does not do itself it leaves to Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from swapnas_ext.patterns.native import _C

UNNAMED: int = _C.unnamed_layer
ERROR_IN_PYTHON: str = _C.error_in_python
"""In the text of the RuntimeError that a call raises where Python's part has raised an error."""
_library: Any = torch.library.Library("swapnas", "FRAGMENT")  # type: ignore[no-untyped-call] # torch has no types
_library.define("relu_in_python(Tensor x) -> Tensor")
_library.define("start_relus(Tensor table, int samples, bool ternary, bool takes_unnamed) -> ()")
_forwards: list[Callable[[Tensor], Tensor]] = []


Call = tuple[int, int, int, float, int]
"""One ReLU: the number of its module, or `UNNAMED`; elements and bytes of its output; seconds; patterns in the set by
then."""


def register(key: str, in_python: Callable[[Tensor], Tensor]) -> None:
    """Takes over ``aten::relu`` at a dispatch key of torch, once.

    Args:
        in_python: does what the compiled part leaves.
    """
    _library.impl("relu_in_python", in_python, key)
    _C.register_relu_kernel(key)


def forwards(layers: int) -> list[Callable[[Tensor], Tensor]]:
    """At least as many forwards of ReLU modules as there are ``layers``, each for the module of its number."""
    while len(_forwards) < layers:
        _forwards.append(_C.layer_relu(len(_forwards), torch.relu))
    return _forwards


def start(table: Tensor, samples: int, ternary: bool, *, takes_unnamed: bool) -> None:
    """Starts a log of this thread: until it is stopped, intercepted ReLUs insert into the table.

    Args:
        takes_unnamed: also those that no module calls through one of the `forwards`.
    """
    torch.ops.swapnas.start_relus(table, samples, ternary, takes_unnamed)


def stop() -> list[Call]:
    """Ends the latest log of this thread, and returns it."""
    return _C.stop_relus()


calls = _C.relu_calls
"""The number of ReLUs in the log of this thread."""

marked_layer = _C.marked_layer
"""The module whose forward runs on this thread, or `UNNAMED`."""
