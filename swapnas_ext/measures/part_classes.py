"""The classes of readings that are more than one number."""

from __future__ import annotations

from typing import Any


def part_classes() -> dict[str, type[Any]]:
    """The classes that `Measurement.parts` of this package's measures may hold, by name."""
    from swapnas_ext.measures.capacity import Capacity  # registers its measure, in turn
    from swapnas_ext.measures.composite import Composite
    from swapnas_ext.measures.panel import Missing

    return {kind.__name__: kind for kind in (Capacity, Composite, Missing)}
