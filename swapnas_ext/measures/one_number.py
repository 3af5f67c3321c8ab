"""What measures share whose reading of a repeat is one number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from swapnas_ext.measures.measure import Measure
from swapnas_ext.measures.measurement import Measurement
from swapnas_ext.measures.prepared_network import PreparedNetwork


class OneNumber(Measure[float]):
    """A measure that reads the logarithm of its score. The result is the mean over the repeats."""

    def summary(self, readings: Sequence[float], network: PreparedNetwork) -> Measurement:
        return Measurement.of_logarithms(readings, details=self.details(readings))

    def details(self, readings: Sequence[float]) -> Mapping[str, Any]:
        return {}


class OfLogarithms(OneNumber):
    """A measure whose published score is a sum of logarithms, and may be negative. It is the logarithm of the value
    here, so that values are positive and size control can multiply them; the details have it as ``score``, for each
    repeat."""

    def details(self, readings: Sequence[float]) -> Mapping[str, Any]:
        return {"score": list(readings)}


def name_of_model(network: PreparedNetwork) -> str:
    return type(network.model).__name__


def logarithm(total: float, what: str, network: PreparedNetwork) -> float:
    """The logarithm of a score.

    Raises:
        ValueError: it is zero, infinite or not a number.
    """
    if not 0 < total < math.inf:
        raise ValueError(
            f"{what} of {name_of_model(network)} is {total}: its logarithm needs a finite number above zero"
        )
    return math.log(total)


def finite(score: float, what: str, network: PreparedNetwork) -> float:
    """The score itself.

    Raises:
        ValueError: it is infinite or not a number.
    """
    if not math.isfinite(score):
        raise ValueError(f"{what} of {name_of_model(network)} is {score}: expected a finite number")
    return score
