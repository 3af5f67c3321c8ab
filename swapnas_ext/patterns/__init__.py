"""Counts the distinct patterns of activation tensors: definition, torch operators, counter, calls."""

from __future__ import annotations

# Imported first, since these two register their operators with torch.
from swapnas_ext.patterns import reference_kernels, vmap_rules  # noqa: F401 # isort: skip
from swapnas_ext.patterns import relu_log
from swapnas_ext.patterns.agreements import Agreements
from swapnas_ext.patterns.build_info import build_info
from swapnas_ext.patterns.checks import NAN_MESSAGE, NanActivationError, NanPolicy
from swapnas_ext.patterns.counter import PatternCounter
from swapnas_ext.patterns.observer import Insert, InsertingOperator, Observer
from swapnas_ext.patterns.one_call import count_patterns, pack_patterns

__all__ = [
    "NAN_MESSAGE",
    "Agreements",
    "Insert",
    "InsertingOperator",
    "NanActivationError",
    "NanPolicy",
    "Observer",
    "PatternCounter",
    "build_info",
    "count_patterns",
    "pack_patterns",
    "relu_log",
]
