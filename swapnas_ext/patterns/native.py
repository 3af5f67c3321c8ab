"""Loads the compiled part. If that fails, raises an ImportError that says why and what to do."""

from __future__ import annotations

import torch

_REBUILD = (
    "Rebuild it for this Python and torch with `pip install --force-reinstall --no-deps swapnas-ext`"
    " (or `pip install .` in a source checkout; an editable install: `pip install -e .`)."
)

try:
    from swapnas_ext import _C
except ImportError as error:
    raise ImportError(
        f"swapnas_ext's compiled part does not load with torch {torch.__version__}: {error}. {_REBUILD}"
    ) from error

try:
    _C.cpu_isa()
except ValueError as error:
    raise RuntimeError(str(error)) from None

__all__ = ["_C"]
