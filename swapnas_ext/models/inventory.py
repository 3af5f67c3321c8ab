"""Takes the inventory of a model: its modules and parameters, found in one walk."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from swapnas_ext._torch_private import (
    contents_of,
)
from swapnas_ext._util import ByClass

# Frequent classes that are not activations and compute the same in training and evaluation.
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
"""Where a module is: the path of its parent, and its own name; None for the model itself.

`name_of` makes a text of it, which few modules need.
"""


def name_of(path: Path) -> str:
    """The name of a module as in ``named_modules``."""
    if path is None:
        return ""
    parent, name = path
    return name if parent is None else f"{name_of(parent)}.{name}"


@dataclass
class Inventory:
    """The modules and parameters of a model.

    One walk finds them all: in a small model, a walk takes as long as a layer.
    """

    modules: list[nn.Module] = field(default_factory=list)
    """In the order of ``modules()``, without modules that only compute: those that are not activations and have
    no mode, buffer or hook."""
    paths: list[Path] = field(default_factory=list)
    """The path of each of ``modules``."""
    parameters: dict[int, nn.Parameter] = field(default_factory=dict)
    """By identity, so that tied parameters appear once."""
    buffers: list[Tensor | None] = field(default_factory=list)
    """The buffers of ``modules`` outside TorchScript."""
    everything: list[nn.Module] = field(default_factory=list)
    """All modules, including those that only compute and those of ``held``."""
    held: list[nn.Module] = field(default_factory=list)
    """Modules that are not children, but in a Python list, tuple or dictionary of another module."""
    times_child: dict[int, int] = field(default_factory=dict)
    """How many times each module is a child, by identity."""

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters.values())


def take_inventory(model: nn.Module) -> Inventory:
    """Walks through a model.

    Raises:
        ValueError: the model has parameters or buffers without values: lazy ones, or some on the meta device.
    """
    inventory = Inventory()
    seen: set[int] = set()
    _walk_children(model, inventory, seen, inventory.parameters)
    parts = len(inventory.everything)
    held_parameters: dict[int, nn.Parameter] = {}
    for module in inventory.everything:  # _walk_children appends to this list
        if not _is_of_torch[ref(type(module))] and (attributes := _searched_attributes(module)):
            for held in _modules_in(attributes):
                if id(held) not in seen:
                    _walk_children(held, inventory, seen, held_parameters, known=False)
    inventory.held = inventory.everything[parts:]
    _check_values(model, inventory)
    return inventory


def _walk_children(
    top: nn.Module,
    inventory: Inventory,
    seen: set[int],
    parameters: dict[int, nn.Parameter],
    *,
    known: bool = True,
) -> None:
    times_child, everything = inventory.times_child, inventory.everything
    pending: list[tuple[Path, nn.Module]] = [(None, top)]
    while pending:
        path, module = pending.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        everything.append(module)
        if isinstance(module, torch.jit.ScriptModule):  # keeps its parts elsewhere
            if known:
                inventory.modules.append(module)
                inventory.paths.append(path)
            parameters.update((id(parameter), parameter) for parameter in module.parameters())
            continue
        own, buffers, children, has_hooks = contents_of(module)
        for parameter in own.values():
            if parameter is not None:
                parameters[id(parameter)] = parameter
        if known:
            if buffers:
                inventory.buffers += buffers.values()
            if buffers or has_hooks or type(module) not in _ONLY_COMPUTING:
                inventory.modules.append(module)
                inventory.paths.append(path)
        if children:
            for name in reversed(children):
                child = children[name]
                if child is not None:
                    times_child[id(child)] = times_child.get(id(child), 0) + 1
                    pending.append(((path, name), child))


def _searched_attributes(module: nn.Module) -> list[Any]:
    """The values of attributes that may hold modules which are not children."""
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
_NO_MODULES: frozenset[type] = frozenset(
    {bool, int, float, str, type(None), torch.Size, Tensor, nn.Parameter}
)


@ByClass
def _is_of_torch(kind: type[nn.Module]) -> bool:
    return kind.__module__.startswith("torch.")


def _check_values(model: nn.Module, inventory: Inventory) -> None:
    tensors: list[Tensor] = list(inventory.parameters.values())
    tensors += [buffer for buffer in inventory.buffers if buffer is not None]
    if _WITH_VALUES.issuperset(map(type, tensors)) and not any(map(_is_meta, tensors)):
        return
    for tensor in tensors:
        if tensor.is_meta or is_lazy(tensor):
            raise ValueError(_without_values(model, tensor))


_is_meta = attrgetter("is_meta")
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
