"""Makes warnings point to the user's line, not to a line of this package."""

from __future__ import annotations

import sys
import warnings
from typing import Any

_PACKAGE = __name__.partition(".")[0]


def renamed(new: Any, old: Any, *, to: str, was: str) -> Any:
    """The value of an argument that had another name, which still works and warns.

    Raises:
        TypeError: both are given.
    """
    if old is None:
        return new
    if new is not None:
        raise TypeError(f"give {to}= alone: {was}= is its old name")
    warn(f"{was}= is now called {to}=", DeprecationWarning)
    return old


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warns at the nearest line of the call stack that is outside this package.

    Python 3.12 has ``skip_file_prefixes`` for this.
    """
    level = 2
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        level += 1
    warnings.warn(text, category, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module == _PACKAGE or module.startswith(f"{_PACKAGE}.")
