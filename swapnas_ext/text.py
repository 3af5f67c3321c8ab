"""Mini-batches of text: the public name of `data.text`."""

from __future__ import annotations

from swapnas_ext.data.text import CLASSIFY, passages

__all__ = ["CLASSIFY", "passages"]
