"""Classes of code bases that need not be installed."""

from __future__ import annotations

import importlib
from typing import Any


def base_class(module: str, name: str) -> Any:
    """A class to derive an adapter from, or ``object`` where its code base is not installed.

    Raises:
        ModuleNotFoundError: the code base is installed, but not something that it needs.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            return object
        raise
