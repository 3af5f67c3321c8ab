"""Layers of a forward pass with kernels of their own, for scoring small networks on the CPU."""

from __future__ import annotations

from swapnas_ext.forward import ops  # noqa: F401 # registers the operators with torch
from swapnas_ext.forward.fast_layers import fast_layers

__all__ = ["fast_layers"]
