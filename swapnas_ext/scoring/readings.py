"""The readings of the repeats of one score, and when there are enough of them."""

from __future__ import annotations

import math
from typing import Any

from swapnas_ext.measures import Measure, Measurement, PreparedNetwork

_MIN_OF_TOLERANCE = 3


class Readings:
    """What a measure has read, one reading for each repeat.

    Args:
        tolerance: the relative standard error of the score that is enough.
        network: that of the latest reading. It is known by the time there is one.
    """

    def __init__(
        self, measure: Measure[Any], tolerance: float | None, network: PreparedNetwork | None = None
    ) -> None:
        self._measure = measure
        self._tolerance = tolerance
        self.network = network
        self.all: list[Any] = []

    def __len__(self) -> int:
        return len(self.all)

    def summary(self, repeats: int | None = None) -> Measurement:
        """Of the first repeats, or of all."""
        assert self.network is not None
        name = self._measure.name
        measurement = self._measure.summary(self.all[:repeats], self.network)
        if not isinstance(measurement, Measurement):
            raise TypeError(
                f"the summary of the measure {name!r} must be a Measurement, got {type(measurement).__name__}"
            )
        if math.isnan(measurement.log_value):
            raise ValueError(f"the measure {name!r} gave a log_value that is not a number")
        return measurement

    def sufficient(self) -> int:
        """How many of the repeats so far are needed: all, or those up to the tolerance."""
        if self._tolerance is not None:
            for count in range(_MIN_OF_TOLERANCE, len(self) + 1):
                if self.summary(count).standard_error <= self._tolerance:
                    return count
        return len(self)

    def are_enough(self) -> bool:
        return (
            self._tolerance is not None
            and len(self) >= _MIN_OF_TOLERANCE
            and self.summary(self.sufficient()).standard_error <= self._tolerance
        )
