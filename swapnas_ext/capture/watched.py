"""Selects the modules of a model to watch for activations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from weakref import ref

from torch import nn

from swapnas_ext._torch_private import children_of
from swapnas_ext.capture import rules
from swapnas_ext.capture.layer import Layer
from swapnas_ext.capture.plan import FUSED, Plan, is_suspect
from swapnas_ext.capture.rules import RELU, RELU_FORWARD, Rule
from swapnas_ext.models import Inventory, Path, name_of

Role = Literal["activation", "left out", "fused", "suspect"]


@dataclass(slots=True)
class WatchedModule:
    """A module whose ``forward`` is watched.

    Attributes:
        role: ``"activation"``; ``"left out"``: not selected, nor are the operators inside; ``"fused"``: its
            activations can't be seen; ``"suspect"``: it looks like an activation that no rule knows.
    """

    name: str
    module: nn.Module
    role: Role
    rule: Rule = RELU

    @property
    def kind(self) -> str:
        return type(self.module).__name__


@dataclass
class WatchedModules:
    """The watched modules of one model."""

    watched: list[WatchedModule]
    inventory: Inventory

    @cached_property
    def names(self) -> dict[int, str]:
        """Names of all modules, by identity: they say which module calls an operator."""
        pairs = zip(self.inventory.modules, self.inventory.paths, strict=True)
        return {id(module): name_of(path) for module, path in pairs}

    @property
    def plain_relus(self) -> list[bool]:
        """Of each, whether it is torch's own ReLU, not in place. Of none, where another one has children: what runs
        inside is not intercepted."""
        plain = [_is_plain_relu(one) for one in self.watched]
        others = (one for one, is_plain in zip(self.watched, plain, strict=True) if not is_plain)
        return [False] * len(plain) if any(children_of(one.module) for one in others) else plain

    @property
    def ternary(self) -> bool:
        """Whether a module's rule is ternary. Operators are known only once the model runs."""
        return any(
            watched_module.role == "activation" and watched_module.rule.ternary
            for watched_module in self.watched
        )


def _is_plain_relu(watched: WatchedModule) -> bool:
    attributes = watched.module.__dict__
    return (
        type(watched.module) is nn.ReLU
        and nn.ReLU.forward is RELU_FORWARD
        and watched.role == "activation"
        and watched.rule is RELU
        and "forward" not in attributes
        and not attributes["inplace"]
    )


def find_activations(inventory: Inventory, plan: Plan) -> WatchedModules:
    """The modules to watch, in the order of ``model.modules()``."""
    watched: list[WatchedModule] = []
    if plan.mode == "operators":
        is_quantized = rules.is_quantized_activation
        for module, path in zip(inventory.modules, inventory.paths, strict=True):
            wanted = not rules.is_unwanted(module, plan.rules)
            if wanted and is_quantized[ref(type(module))]:
                watched.append(WatchedModule(name_of(path), module, "suspect"))
    else:
        may_watch = plan.may_watch
        for module, path in zip(inventory.modules, inventory.paths, strict=True):
            if not may_watch[ref(type(module))]:
                continue
            one = _watched_module(module, path, plan)
            if one is not None:
                watched.append(one)
    return WatchedModules(watched, inventory)


def _watched_module(module: nn.Module, path: Path, plan: Plan) -> WatchedModule | None:
    rule = rules.module_rule(module, plan.rules)
    if rule is not None:
        name = name_of(path)
        chosen = plan.select is None or plan.selects(Layer(name, type(module).__name__, rule=rule))
        return WatchedModule(name, module, "activation" if chosen else "left out", rule)
    if rules.is_unwanted(module, plan.rules):
        return WatchedModule(name_of(path), module, "left out")
    if isinstance(module, FUSED):
        return WatchedModule(name_of(path), module, "fused")
    if not children_of(module) and is_suspect(type(module)):
        return WatchedModule(name_of(path), module, "suspect")
    return None
