"""What of a model is watched for activations: the layers that a user selects, and the modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal
from weakref import ref

from torch import nn

from swapnas_ext._torch_private import children_of
from swapnas_ext._util import ByClass
from swapnas_ext.capture import rules
from swapnas_ext.capture.rules import RELU, Rule, UserRules
from swapnas_ext.models import Inventory, Path, name_of

Mode = Literal["auto", "modules", "operators"]
MODES = ("auto", "modules", "operators")


@dataclass
class Layer:
    """What one activation of a model contributed.

    Attributes:
        name: of the module; where it is no module, of the module that calls it, a colon, and the
            operator: ``layer1.0:relu``, the second one ``layer1.0:relu#2``.
        kind: class of the module, or name of the operator.
        how: ``"module"`` or ``"operator"``.
        rule: where its boundary lies.
        neurons: V of this layer.
        new_patterns: how many distinct patterns it added to those of the layers that ran before it;
            None where that was not measured.
        seconds: time to count it; for a ReLU, with the ReLU that counting is fused with.
    """

    name: str
    kind: str
    how: Literal["module", "operator"] = "module"
    rule: Rule = RELU
    neurons: int = 0
    new_patterns: int | None = None
    seconds: float = 0.0


_FUSED = (nn.RNNBase, nn.RNNCellBase)

Select = str | Sequence[str] | Callable[[Layer], bool]


@dataclass(frozen=True)
class Plan:
    """What is to be captured.

    Args:
        mode: ``"auto"``: activations as modules, and all others as operators; ``"modules"`` or
            ``"operators"``: only in that way.
        rules: the user's own, before the table of `activations`.
        select: a pattern of layer names such as ``"layer4.*"``, several, or a function of the `Layer`.
    """

    mode: Mode = "auto"
    rules: UserRules = field(default_factory=dict)
    select: Select | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"capture must be one of {', '.join(MODES)}, got {self.mode!r}")
        rules.check_user_rules(self.rules)
        if not (
            self.select is None or callable(self.select) or isinstance(self.select, str)
        ) and not (
            isinstance(self.select, list | tuple) and all(isinstance(p, str) for p in self.select)
        ):
            raise TypeError(
                "select must be a pattern of names, a list of them, or a function of a Layer, got "
                f"{self.select!r}"
            )

    def __getstate__(self) -> dict[str, Any]:
        fields = vars(self).copy()
        fields.pop("may_watch", None)
        return fields

    @cached_property
    def may_watch(self) -> ByClass[bool]:
        """Whether modules of a class can be of any interest."""

        def may_watch(kind: type[nn.Module]) -> bool:
            return (
                rules.is_known_class(kind)
                or issubclass(kind, _FUSED)
                or _is_suspect(kind)
                or rules.has_user_rule(kind, self.rules)
            )

        return ByClass(may_watch)

    @property
    def wanted(self) -> str:
        """What it takes to capture what was missed."""
        return "rules= for them" + (" and capture='auto'" if self.mode == "operators" else "")

    def selects(self, layer: Layer) -> bool:
        if self.select is None:
            return True
        if callable(self.select):
            return bool(self.select(layer))
        patterns = [self.select] if isinstance(self.select, str) else self.select
        return any(fnmatchcase(layer.name, pattern) for pattern in patterns)


Role = Literal["activation", "left out", "fused", "suspect"]


@dataclass(slots=True)
class WatchedModule:
    """A module whose ``forward`` is watched: an activation; one that is left out, with the operators in
    it; one whose activations can't be seen; or one that looks like an activation that no rule knows."""

    name: str
    module: nn.Module
    role: Role
    rule: Rule = RELU

    @property
    def kind(self) -> str:
        return type(self.module).__name__


@dataclass
class WatchedModules:
    """What is watched in one model."""

    watched: list[WatchedModule]
    found: Inventory

    @cached_property
    def names(self) -> dict[int, str]:
        """Of all modules, by identity: to say who calls an operator."""
        pairs = zip(self.found.modules, self.found.paths, strict=True)
        return {id(module): name_of(path) for module, path in pairs}

    @property
    def ternary(self) -> bool:
        """Whether a module's rule is. Of operators it is not known before the model runs."""
        return any(site.role == "activation" and site.rule.ternary for site in self.watched)


def find_activations(found: Inventory, plan: Plan) -> WatchedModules:
    """The modules to watch, in their order."""
    watched: list[WatchedModule] = []
    if plan.mode == "operators":
        is_quantized = rules.is_quantized_activation
        for module, path in zip(found.modules, found.paths, strict=True):
            wanted = not rules.is_unwanted(module, plan.rules)
            if wanted and is_quantized[ref(type(module))]:
                watched.append(WatchedModule(name_of(path), module, "suspect"))
    else:
        may_watch = plan.may_watch
        for module, path in zip(found.modules, found.paths, strict=True):
            if not may_watch[ref(type(module))]:
                continue
            site = _site(module, path, plan)
            if site is not None:
                watched.append(site)
    return WatchedModules(watched, found)


def _site(module: nn.Module, path: Path, plan: Plan) -> WatchedModule | None:
    rule = rules.module_rule(module, plan.rules)
    if rule is not None:
        name = name_of(path)
        chosen = plan.select is None or plan.selects(Layer(name, type(module).__name__, rule=rule))
        return WatchedModule(name, module, "activation" if chosen else "left out", rule)
    if rules.is_unwanted(module, plan.rules):
        return WatchedModule(name_of(path), module, "left out")
    if isinstance(module, _FUSED):
        return WatchedModule(name_of(path), module, "fused")
    if not children_of(module) and _is_suspect(type(module)):
        return WatchedModule(name_of(path), module, "suspect")
    return None


def _is_suspect(kind: type[nn.Module]) -> bool:
    return rules.looks_like_activation(kind) and not rules.is_known_class(kind)
