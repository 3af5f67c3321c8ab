"""Imports from code bases that need not be installed."""

from __future__ import annotations

import importlib
from typing import Any


def base_class(module: str, name: str) -> Any:
    """A class that an adapter derives from; ``object`` where its code base is not installed.

    Raises:
        ModuleNotFoundError: the code base is installed, but a package that it needs is not.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            return object
        raise


def needed(module: str, message: str) -> Any:
    """A module of a code base that an adapter can't do without.

    Args:
        message: says what to install.

    Raises:
        ImportError: the module can't be imported. The error has the message.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(message) from error
