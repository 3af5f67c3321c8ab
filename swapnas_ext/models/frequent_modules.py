"""Frequent classes of torch's modules, whose attributes are known and so need no search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

NORMS: frozenset[type[nn.Module]] = frozenset({nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d})

_ARGUMENTS: dict[Callable[..., nn.Module], tuple[int, ...]] = {
    **dict.fromkeys((nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh), ()),
    **dict.fromkeys((nn.Hardswish, nn.Hardsigmoid, nn.Identity, nn.Flatten, nn.Dropout), ()),
    **dict.fromkeys((nn.Sequential, nn.ModuleList, nn.ModuleDict), ()),
    **dict.fromkeys((nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.LayerNorm), (1,)),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d), (1,)),
    **dict.fromkeys((nn.Linear, nn.Embedding), (1, 1)),
    **dict.fromkeys((nn.Conv1d, nn.Conv2d), (1, 1, 1)),
}
FREQUENT: dict[object, frozenset[str]] = {
    make: frozenset(make(*arguments).__dict__) for make, arguments in _ARGUMENTS.items()
}
"""By class, the names of the attributes that every module of it has. None of these attributes is a tensor, or a
container that a forward pass writes to."""
_FORWARDS: dict[Any, Any] = {make: getattr(make, "forward", None) for make in _ARGUMENTS}


def have_own_forwards() -> bool:
    """Whether frequent classes have the ``forward`` that torch gave them; somebody may have replaced one."""
    return all(getattr(kind, "forward", None) is forward for kind, forward in _FORWARDS.items())
