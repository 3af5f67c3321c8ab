"""Lists which weights and biases of a model an initialiser writes, in order, and writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal
from weakref import ref

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import children_of, parameters_of
from swapnas_ext.models.computed_weights import Computed
from swapnas_ext.models.weighted_layers import (
    Weights,
    is_of_real_numbers,
    kind_of,
    parameters_and_computed,
    weights_of,
)

Draw = Callable[[Tensor, torch.Generator, "int | None"], object]
"""Draws a weight in place, with its fan-in; None for the fan-in that torch computes."""
What = Literal["draw", "one", "zero"]
Action = tuple[Tensor | Computed, What, int | None]
"""A weight, what to write to it, and its fan-in; None for the fan-in that torch computes."""


def actions_of(model: nn.Module) -> list[Action]:
    """The actions of the published initialisation in its order, then those for other layers."""
    actions: list[Action] = []
    others: list[tuple[nn.Module, Weights]] = []
    for module in _modules(model):
        kind = kind_of[ref(type(module))]
        if kind is None:
            continue
        if kind in ("of torch", "of others"):
            weights = weights_of(module, kind)
            if weights:
                others.append((module, weights))
            continue
        own: Mapping[str, Tensor | Computed | None] = parameters_of(module)
        if "weight" not in own or "bias" not in own:
            own = parameters_and_computed(module)
        weight, bias = own.get("weight"), own.get("bias")
        if weight is not None and is_of_real_numbers(weight):
            actions.append((weight, "draw" if kind == "published" else "one", None))
        if bias is not None:
            actions.append((bias, "zero", None))
    if others:
        known = {id(weight) for weight, _, _ in actions}
        for module, weights in others:
            actions += [(w, "draw", fan_in) for w, fan_in in weights.values() if id(w) not in known]
            actions += [(bias, "zero", None) for bias in _biases(module) if id(bias) not in known]
    return actions


def fill(
    weight: Tensor, what: What, draw: Draw, generator: torch.Generator, fan_in: int | None
) -> None:
    """Draws a weight, or sets it to one or zero."""
    if what == "draw":
        draw(weight, generator, fan_in)
    else:
        weight.fill_(1.0 if what == "one" else 0.0)


def solved(
    weight: Computed, what: What, draw: Draw, generator: torch.Generator, fan_in: int | None
) -> Sequence[Tensor] | None:
    """Values of the tensors that a weight is computed from, so that it becomes what `fill` would write. None
    where no values are known to do that."""
    value = weight.empty()
    fill(value, what, draw, generator, fan_in)
    return weight.solved(value, generator.initial_seed())


def assign(tensors: Sequence[Tensor], values: Sequence[Tensor] | None) -> None:
    """Writes values to tensors; without values, leaves the tensors as they are."""
    for tensor, value in zip(tensors, values or (), strict=values is not None):
        tensor.copy_(value)


def _modules(model: nn.Module) -> Iterable[nn.Module]:
    """The same modules as ``model.modules()``, without making their names."""
    seen: set[int] = set()
    pending = [model]
    while pending:
        module = pending.pop()
        if id(module) not in seen:
            seen.add(id(module))
            yield module
            if isinstance(module, torch.jit.ScriptModule):  # none of its parts is of a known class
                continue
            children = children_of(module)
            if children:
                pending += [child for child in reversed(children.values()) if child is not None]


def _biases(module: nn.Module) -> Iterable[Tensor | Computed]:
    for name, value in parameters_and_computed(module).items():
        if ("bias" in name or name == "b") and is_of_real_numbers(value):
            yield value
