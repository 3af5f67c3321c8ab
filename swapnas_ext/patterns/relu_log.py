"""ReLUs whose patterns the compiled part takes where torch's dispatcher meets them, without Python between the layers
of a network: see csrc/torch/relu_capture.h.

ReLU modules get a forward that names them to the log. What the compiled part does not do itself it leaves to Python.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
_elsewheres: list[Callable[[int, Tensor], Tensor]] = []  # of the logs that are running


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
        number = len(_forwards)
        _forwards.append(_C.layer_relu(number, torch.relu, partial(_elsewhere, number)))
    return _forwards


def _elsewhere(number: int, input: Tensor) -> Tensor:
    """The forward of a module on a thread without a log, as one that the model started."""
    return _elsewheres[-1](number, input) if _elsewheres else torch.relu(input)


def start(
    table: Tensor,
    samples: int,
    ternary: bool,
    *,
    takes_unnamed: bool,
    elsewhere: Callable[[int, Tensor], Tensor],
) -> None:
    """Starts a log of this thread: until it is stopped, intercepted ReLUs insert into the table.

    Args:
        takes_unnamed: also those that no module calls through one of the `forwards`.
        elsewhere: called on other threads, with the number of a module and what its forward gets.
    """
    torch.ops.swapnas.start_relus(table, samples, ternary, takes_unnamed)
    _elsewheres.append(elsewhere)


def stop() -> list[Call]:
    """Ends the latest log of this thread, and returns it."""
    calls = _C.stop_relus()
    _elsewheres.pop()
    return calls


calls = _C.relu_calls
"""The number of ReLUs in the log of this thread, or of the thread that scores."""

marked_layer = _C.marked_layer
"""The module whose forward runs on this thread, or `UNNAMED`."""
