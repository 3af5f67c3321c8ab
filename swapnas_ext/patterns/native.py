"""Loads the compiled part. If that fails, raises an ImportError that says why and what to do."""

from __future__ import annotations

from pathlib import Path

import torch

_PACKAGE = Path(__file__).parents[1]
_REBUILD = "Rebuild it for this Python and torch from the sources: `pip install --force-reinstall --no-deps .`"

try:
    from swapnas_ext import _C
except ImportError as error:
    sources = _PACKAGE.parent
    if (sources / "setup.py").exists() and not any(_PACKAGE.glob("_C.*.so")):
        raise ImportError(
            f"this swapnas_ext is the folder of the sources, {sources}, where the compiled part has not been built. "
            "Run Python in another folder, where it finds the installed package, or build it here: `pip install -e .`"
        ) from None
    raise ImportError(
        f"swapnas_ext's compiled part does not load with torch {torch.__version__}: {error}. {_REBUILD} "
        "(an editable install: `pip install -e .`)."
    ) from error

try:
    _C.cpu_isa()
except ValueError as error:
    raise RuntimeError(str(error)) from None

__all__ = ["_C"]
