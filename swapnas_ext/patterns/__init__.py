"""Turns activation tensors into distinct patterns: the definition, the torch operators, the counters."""

from __future__ import annotations

from swapnas_ext.patterns.build_info import build_info
from swapnas_ext.patterns.counter import (
    NAN_MESSAGE,
    NanActivationError,
    NanPolicy,
    PatternCounter,
    count_patterns,
    pack_patterns,
)
from swapnas_ext.patterns.observer import Observer

__all__ = [
    "NAN_MESSAGE",
    "NanActivationError",
    "NanPolicy",
    "Observer",
    "PatternCounter",
    "build_info",
    "count_patterns",
    "pack_patterns",
]
