"""What is measured of a prepared network."""

from __future__ import annotations

from swapnas_ext.measures.composite import CompositeRepeats

__all__ = ["CompositeRepeats"]
