"""Selects what to capture: by modules or operators, by rules of the user's own, by names of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal

from torch import nn

from swapnas_ext._util import ByClass
from swapnas_ext.capture import rules
from swapnas_ext.capture.layer import Layer
from swapnas_ext.capture.rules import UserRules

Mode = Literal["auto", "modules", "operators"]
MODES = ("auto", "modules", "operators")

FUSED = (nn.RNNBase, nn.RNNCellBase)
"""Modules whose activations can't be seen from outside."""

Select = str | Sequence[str] | Callable[[Layer], bool]


@dataclass(frozen=True)
class Plan:
    """What to capture.

    Args:
        mode: ``"auto"``: activations as modules, and all others as operators; ``"modules"`` or
            ``"operators"``: only in that way.
        rules: of the user's own; they precede the table of `rules`.
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
        """Whether a class of modules may have to be watched."""

        def may_watch(kind: type[nn.Module]) -> bool:
            return (
                rules.is_known_class(kind)
                or issubclass(kind, FUSED)
                or is_suspect(kind)
                or rules.has_user_rule(kind, self.rules)
            )

        return ByClass(may_watch)

    @property
    def wanted(self) -> str:
        """What to give to capture what was missed."""
        return "rules= for them" + (" and capture='auto'" if self.mode == "operators" else "")

    def selects(self, layer: Layer) -> bool:
        if self.select is None:
            return True
        if callable(self.select):
            return bool(self.select(layer))
        patterns = [self.select] if isinstance(self.select, str) else self.select
        return any(fnmatchcase(layer.name, pattern) for pattern in patterns)


def is_suspect(kind: type[nn.Module]) -> bool:
    """Whether a class is named as activations are, and no rule knows it."""
    return rules.looks_like_activation(kind) and not rules.is_known_class(kind)
