"""Search spaces, found by name: ``get("nasbench201", dataset="cifar100")``."""

from __future__ import annotations

import importlib
from typing import Any

from swapnas_ext._util import named
from swapnas_ext.spaces.base import ArchitectureError, Graph, SearchSpace
from swapnas_ext.spaces.options import options_of

_CLASSES = {
    "darts": ("darts", "DARTS"),
    "nasbench101": ("nasbench101", "NASBench101"),
    "nasbench201": ("nasbench201", "NASBench201"),
    "transnas-micro": ("transnas", "TransNASMicro"),
    "transnas-macro": ("transnas", "TransNASMacro"),
    "mobilenet": ("mobilenet", "MobileNet"),
    "flexibert": ("flexibert", "FlexiBERT"),
    "nasbench-macro": ("nasbench_macro", "NASBenchMacro"),
    "efficientnet": ("efficientnet", "EfficientNet"),
    "autoformer": ("autoformer", "AutoFormer"),
}


def names() -> list[str]:
    """The names that `get` knows."""
    return list(_CLASSES)


def space_class(name: str) -> type[SearchSpace]:
    """The class of that name, or of ``MODULE:CLASS``, a space of one's own. The module may be in the current
    folder.

    Raises:
        ValueError: an unknown name, or not a subclass of `SearchSpace`.
        ImportError: there is no such module.
    """
    if name in _CLASSES:
        module_name, class_name = _CLASSES[name]
        module = importlib.import_module(f"swapnas_ext.spaces.{module_name}")
        kind: type[SearchSpace] = getattr(module, class_name)
        return kind
    if ":" not in name:
        raise ValueError(
            f"unknown search space {name!r}; known: {', '.join(_CLASSES)}, or MODULE:CLASS for one "
            "of your own"
        )
    found = named(name)
    if not isinstance(found, type) or not issubclass(found, SearchSpace):
        module_name, _, class_name = name.partition(":")
        raise ValueError(f"{name}: {module_name} has no subclass {class_name!r} of SearchSpace")
    return found


def name_of(space: SearchSpace | type[SearchSpace]) -> str | None:
    """The name that `get` knows a space or its class by; None for a space of one's own."""
    kind = space if isinstance(space, type) else type(space)
    for name, (module_name, class_name) in _CLASSES.items():
        if (kind.__module__, kind.__name__) == (f"swapnas_ext.spaces.{module_name}", class_name):
            return name
    return None


def get(name: str, **options: Any) -> SearchSpace:
    """The search space of that name (or ``MODULE:CLASS``), made with ``options``.

    Raises:
        ValueError: an unknown name, or options that the space refuses.
        ImportError: there is no such module.
    """
    return space_class(name)(**options)


__all__ = [
    "ArchitectureError",
    "Graph",
    "SearchSpace",
    "get",
    "name_of",
    "names",
    "options_of",
    "space_class",
]
