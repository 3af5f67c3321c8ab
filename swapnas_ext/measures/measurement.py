"""The result of a measure for one network."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from swapnas_ext._util import SameWithNan


@dataclass(frozen=True, eq=False)
class Measurement(SameWithNan):
    """The score of one network before size control, and details about it.

    Attributes:
        log_value: natural logarithm of the value, which ranks networks: higher is better.
        value: the score itself; by default ``exp(log_value)``.
        spread: sample standard deviation of one repeat's value, relative to the value; NaN for one repeat.
        repeats: R, the number of repeats.
        patterns: Psi of each repeat; empty if the measure does not count the patterns of all layers together.
        parts: the measure's own reading of each repeat, if it is more than one number.
        details: further numbers, JSON-compatible. ``flops`` are the operations of one sample.
            ``heavy_tails`` says that some networks score far below all others: calibration then estimates the
            spread of scores from their quartiles.
        saturation: the value relative to the highest possible one; NaN if there is no bound.
        saturated: whether the value is so near that bound that it can't tell networks apart.
        notes: sentences for the user.
    """

    log_value: float
    value: float = math.nan
    spread: float = math.nan
    repeats: int = 1
    patterns: tuple[int, ...] = ()
    parts: tuple[Any, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    saturation: float = math.nan
    saturated: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if math.isnan(self.value):
            object.__setattr__(self, "value", _exponential(self.log_value))

    @classmethod
    def of_logarithms(cls, log_values: Sequence[float], **known: Any) -> Measurement:
        """The geometric mean over the repeats. ``known`` sets other attributes."""
        try:
            mean = statistics.fmean(log_values)
            spread = statistics.stdev(log_values) if len(log_values) > 1 else math.nan
        except OverflowError as error:
            raise ValueError(
                f"logarithms of scores are too large: {max(map(abs, log_values))}"
            ) from error
        value = _exponential(mean)
        log_value = math.log(value) if 0 < value < math.inf else mean
        return cls(log_value, value, spread, len(log_values), **known)

    @property
    def standard_error(self) -> float:
        """The standard error of the value, relative to it; infinite for one repeat."""
        return math.inf if math.isnan(self.spread) else self.spread / math.sqrt(self.repeats)


def _exponential(log_value: float) -> float:
    try:
        return math.exp(log_value)
    except OverflowError:
        return math.inf
