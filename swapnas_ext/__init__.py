"""Fast, exact SWAP-Scores: training-free scoring for neural architecture search.

::

    import swapnas_ext as swap

    swap.score(model, inputs, init="gaussian", repeats=8)
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from swapnas_ext._util import garbage_kept

# Little of what an import makes is garbage, and torch has left so many objects that one look at all of them takes
# longer than all modules of this package.
with garbage_kept():
    from swapnas_ext import data, examples, measures, spaces
    from swapnas_ext._util import keep_freed_memory
    from swapnas_ext.capture import Layer, Rule
    from swapnas_ext.patterns import (
        NanActivationError,
        PatternCounter,
        build_info,
        count_patterns,
        pack_patterns,
    )
    from swapnas_ext.scoring import Scorer, ScoreWarning, SwapScore, regularization, score
    from swapnas_ext.version import __version__

if TYPE_CHECKING:
    from swapnas_ext import compat, correlation, export, search, testing, text, validation

# Search takes a tenth of a second to import, and most programs only score.
_IMPORTED_WHEN_USED = {
    "compat": "swapnas_ext.compat",
    "correlation": "swapnas_ext.correlation",
    "export": "swapnas_ext.export",
    "search": "swapnas_ext.search",
    "testing": "swapnas_ext.testing",
    "text": "swapnas_ext.text",
    "validation": "swapnas_ext.validation",
}


logging.getLogger(__name__).addHandler(logging.NullHandler())  # silent unless asked


def __getattr__(name: str) -> Any:
    if name in _IMPORTED_WHEN_USED:
        return importlib.import_module(_IMPORTED_WHEN_USED[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


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
    "examples",
    "export",
    "keep_freed_memory",
    "measures",
    "pack_patterns",
    "regularization",
    "score",
    "search",
    "spaces",
    "testing",
    "text",
    "validation",
]
