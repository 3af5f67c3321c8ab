"""What there is in a model: its modules and parameters, found in one walk."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from swapnas_ext._torch_private import (
    buffers_of,
    children_of,
    may_have_forward_hooks,
    parameters_of,
)

# Frequent modules that do the same in training and evaluation, and are no activations.
_ONLY_COMPUTING = frozenset(
    {
        nn.AvgPool2d,
        nn.Conv2d,
        nn.Flatten,
        nn.Identity,
        nn.LayerNorm,
        nn.Linear,
        nn.MaxPool2d,
        nn.ModuleDict,
        nn.ModuleList,
        nn.Sequential,
    }
)
CONTAINERS = frozenset({list, dict, set, OrderedDict, deque, tuple, frozenset})

Path = tuple[Any, str] | None
"""Where a module is: the path of its parent, and its own name; None for the model. Few need a name."""


def name_of(path: Path) -> str:
    """As in ``named_modules``."""
    if path is None:
        return ""
    parent, name = path
    return name if parent is None else f"{name_of(parent)}.{name}"


@dataclass
class Inventory:
    """What there is in a model, found in one walk: for a small model a walk takes as long as a layer."""

    modules: list[nn.Module] = field(default_factory=list)
    """In the order of ``modules()``, without those that only compute: no activation, mode, buffer or
    hook."""
    paths: list[Path] = field(default_factory=list)
    """Of each of ``modules``."""
    parameters: dict[int, nn.Parameter] = field(default_factory=dict)
    """By identity, so that tied ones are there once."""
    everything: list[nn.Module] = field(default_factory=list)
    """All modules, those that only compute and those of ``held`` among them."""
    held: list[nn.Module] = field(default_factory=list)
    """Modules that torch does not know to be parts: in a Python list, tuple or dictionary of another."""
    times_child: dict[int, int] = field(default_factory=dict)
    """How often each module is a child, by identity."""

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters.values())


def take_inventory(model: nn.Module) -> Inventory:
    """
    Raises:
        ValueError: it has parameters without values: lazy ones, or some on the meta device.
    """
    found = Inventory()
    seen: set[int] = set()
    _walk_children(model, found, seen, found.parameters)
    parts = len(found.everything)
    held_parameters: dict[int, nn.Parameter] = {}
    for module in found.everything:  # grows while it is gone through
        if not _is_of_torch(type(module)) and (attributes := _looked_into(module)):
            for held in _modules_in(attributes):
                if id(held) not in seen:
                    _walk_children(held, found, seen, held_parameters, known=False)
    found.held = found.everything[parts:]
    _check_values(model, found)
    return found


def _walk_children(
    top: nn.Module,
    found: Inventory,
    seen: set[int],
    parameters: dict[int, nn.Parameter],
    *,
    known: bool = True,
) -> None:
    times_child = found.times_child
    pending: list[tuple[Path, nn.Module]] = [(None, top)]
    while pending:
        path, module = pending.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        found.everything.append(module)
        if isinstance(module, torch.jit.ScriptModule):  # keeps it all elsewhere
            if known:
                found.modules.append(module)
                found.paths.append(path)
            parameters.update((id(parameter), parameter) for parameter in module.parameters())
            continue
        for parameter in parameters_of(module).values():
            if parameter is not None:
                parameters[id(parameter)] = parameter
        if known and (
            type(module) not in _ONLY_COMPUTING
            or buffers_of(module)
            or may_have_forward_hooks(module)
        ):
            found.modules.append(module)
            found.paths.append(path)
        children = children_of(module)
        if children:
            for name in reversed(children):
                child = children[name]
                if child is not None:
                    times_child[id(child)] = times_child.get(id(child), 0) + 1
                    pending.append(((path, name), child))


def _looked_into(module: nn.Module) -> list[Any]:
    """Attributes in which there may be modules that are no children by torch's account."""
    attributes = module.__dict__
    names = attributes.keys() - OF_EVERY_MODULE
    return [attributes[name] for name in names if type(attributes[name]) not in _NO_MODULES]


def _modules_in(pending: list[Any]) -> Iterator[nn.Module]:
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        if isinstance(value, nn.Module):
            yield value
        elif type(value) in CONTAINERS and id(value) not in seen:
            seen.add(id(value))
            items = value.values() if isinstance(value, dict) else value
            pending += [v for v in items if type(v) in CONTAINERS or isinstance(v, nn.Module)]


OF_EVERY_MODULE = frozenset(nn.Module().__dict__)
_NO_MODULES = frozenset({bool, int, float, str, type(None), torch.Size, Tensor, nn.Parameter})


def _is_of_torch(kind: type[nn.Module]) -> bool:
    return kind.__module__.startswith("torch.")


def _check_values(model: nn.Module, found: Inventory) -> None:
    tensors: list[Tensor | None] = list(found.parameters.values())
    for module in found.modules:
        if not _is_scripted(module):
            tensors += buffers_of(module).values()
    for tensor in tensors:
        if tensor is not None and (
            tensor.is_meta or (type(tensor) not in _WITH_VALUES and is_lazy(tensor))
        ):
            raise ValueError(_without_values(model, tensor))


_WITH_VALUES = frozenset({Tensor, nn.Parameter})


def _without_values(model: nn.Module, tensor: Tensor) -> str:
    named = (*model.named_parameters(), *model.named_buffers())
    name = next((name for name, other in named if other is tensor), "of one of its modules")
    what = f"{type(model).__name__} can't be scored: '{name}' "
    if is_lazy(tensor):
        return (
            f"{what}is lazy, and gets its size in a first forward pass; run the model once on the inputs, "
            "and score it then"
        )
    what += "is on the meta device and has no values, "
    if torch.get_default_device().type == "meta":
        return f"{what}since that is torch's default; build it in a with torch.device('cpu')"
    return f"{what}as where weights are offloaded or not loaded yet; load them, or score what a function builds"


def _is_scripted(module: nn.Module) -> bool:
    return isinstance(module, torch.jit.ScriptModule)
