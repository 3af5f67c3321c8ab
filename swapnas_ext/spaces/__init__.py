"""Search spaces by name: ``get("nasbench201", dataset="cifar100")``."""

from __future__ import annotations

import importlib
from typing import Any

from swapnas_ext.spaces.base import ArchitectureError, SearchSpace

_CLASSES = {"darts": "DARTS", "nasbench201": "NASBench201"}


def names() -> list[str]:
    """The names that `get` knows."""
    return list(_CLASSES)


def get(name: str, **options: Any) -> SearchSpace:
    """The search space of that name; ``options`` go to its class.

    Raises:
        ValueError: an unknown name.
    """
    if name not in _CLASSES:
        raise ValueError(f"unknown search space {name!r}; known: {', '.join(_CLASSES)}")
    module = importlib.import_module(f"swapnas_ext.spaces.{name}")
    return getattr(module, _CLASSES[name])(**options)


__all__ = ["ArchitectureError", "SearchSpace", "get", "names"]
