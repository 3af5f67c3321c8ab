"""Fast, exact SWAP-Scores: training-free scoring for neural architecture search.

::

    import swapnas_ext as swap

    swap.score(model, inputs, init="gaussian", repeats=8)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from swapnas_ext import data, regularization, spaces
from swapnas_ext.activations import Rule
from swapnas_ext.allocator import keep_freed_memory
from swapnas_ext.build_info import build_info
from swapnas_ext.counter import (
    NanActivationError,
    PatternCounter,
    count_patterns,
    pack_patterns,
)
from swapnas_ext.result import ScoreWarning, SwapScore
from swapnas_ext.scoring import Scorer, score
from swapnas_ext.sites import Layer
from swapnas_ext.version import __version__

if TYPE_CHECKING:
    from swapnas_ext import compat, correlation, search, text

_IMPORTED_WHEN_USED = ("compat", "correlation", "search", "text")


def __getattr__(name: str) -> Any:
    if (
        name in _IMPORTED_WHEN_USED
    ):  # search takes a tenth of a second, and most programs only score
        return importlib.import_module(f"swapnas_ext.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_IMPORTED_WHEN_USED})


__all__ = [
    "Layer",
    "NanActivationError",
    "PatternCounter",
    "Rule",
    "ScoreWarning",
    "Scorer",
    "SwapScore",
    "__version__",
    "build_info",
    "compat",
    "correlation",
    "count_patterns",
    "data",
    "keep_freed_memory",
    "pack_patterns",
    "regularization",
    "score",
    "search",
    "spaces",
    "text",
]
