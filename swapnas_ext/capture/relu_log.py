"""ReLUs that the compiled part captures where torch's dispatcher meets them, without Python between the layers of a
network: see csrc/torch/relu_capture.h.

ReLU modules get a forward that names them to the log. What the compiled part leaves to Python goes to the handler of
`dispatch`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from swapnas_ext import _C

UNNAMED: int = _C.unnamed_layer
_forwards: list[Callable[[Tensor], Tensor]] = []


Call = tuple[int, int, int, float, int]
"""One ReLU: the number of its module, or `UNNAMED`; elements and bytes of its output; seconds; patterns in the set by
then."""


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
