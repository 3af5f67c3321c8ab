"""The score: a float that says how it came about."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from swapnas_ext._util import data_frame

if TYPE_CHECKING:
    import pandas

    from swapnas_ext.capture import Layer
    from swapnas_ext.measures import Measurement


class ScoreWarning(UserWarning):
    """A score that may not mean what it seems to: saturated, or with activations that were not seen."""


@dataclass(frozen=True)
class Timing:
    """Seconds, over all repeats. ``build`` is 0 where a model was given, and not a function that builds
    it; ``count`` includes the ReLUs that counting was fused with."""

    build: float = 0.0
    initialize: float = 0.0
    forward: float = 0.0
    count: float = 0.0

    @property
    def total(self) -> float:
        return self.build + self.initialize + self.forward + self.count

    def __add__(self, other: Timing) -> Timing:
        return Timing(
            self.build + other.build,
            self.initialize + other.initialize,
            self.forward + other.forward,
            self.count + other.count,
        )


@dataclass(frozen=True)
class Result:
    """The fields of a `SwapScore`."""

    measure: str
    measurement: Measurement
    neurons: int
    samples: int
    ternary: bool
    parameters: int
    log_factor: float
    layers: tuple[Layer, ...]
    missed: tuple[str, ...]
    notes: tuple[str, ...]
    timing: Timing = field(repr=False)


class SwapScore(float):
    """A SWAP-Score: a float (the value) that says how it came about.

    Attributes:
        measure: name of what was measured, see `Scorer`.
        measurement: the score before size control, its spread over the repeats, and the measure's details.
        neurons: V, over all captured layers.
        samples: S.
        ternary: whether an activation has three states, which the patterns then have too.
        parameters: number of parameters of the model.
        log_factor: -(Theta - mu)^2 / sigma, 0 without mu and sigma.
        layers: what was captured: name, kind, how, neurons, and (first repeat) new patterns (on CPU) and
            seconds.
        missed: what looks like an activation and was not captured.
        notes: what the caller should know: saturation, repeats that could not run at once.
        timing: seconds spent.
    """

    measure: str
    measurement: Measurement
    neurons: int
    samples: int
    ternary: bool
    parameters: int
    log_factor: float
    layers: tuple[Layer, ...]
    missed: tuple[str, ...]
    notes: tuple[str, ...]
    timing: Timing

    def __new__(cls, result: Result) -> SwapScore:
        value = result.measurement.value * math.exp(result.log_factor)
        score = super().__new__(cls, value)
        score.__dict__.update(vars(result))
        return score

    def __reduce__(self) -> tuple[Any, ...]:
        return SwapScore, (Result(**self.__dict__),)

    def __repr__(self) -> str:
        patterns = f"mean={self.mean:.6g}, " if self.patterns else f"measure={self.measure!r}, "
        if self.repeats > 1:
            patterns += f"std={self.std if self.patterns else self.spread:.3g}, "
        return (
            f"SwapScore({self.value:.6g}, {patterns}"
            f"repeats={self.repeats}, neurons={self.neurons}, samples={self.samples}, "
            f"{'ternary=True, ' if self.ternary else ''}"
            f"saturation={self.saturation:.3f}, parameters={self.parameters})"
        )

    def with_note(self, note: str) -> SwapScore:
        """The same score with one note more."""
        return SwapScore(replace(Result(**self.__dict__), notes=(*self.notes, note)))

    def to_frame(self) -> pandas.DataFrame:
        """The layers as a data frame: a row for each, in the order in which they ran.

        Its columns: ``name``, ``kind``, ``captured_as`` (module or operator), ``neurons``, ``new_patterns`` (in the
        first repeat, on CPU; otherwise missing), ``seconds`` (of counting), and of the rule that the patterns are by:
        ``ternary``, ``signed``, ``of_input`` and ``upper``.

        Raises:
            ImportError: pandas is not installed: ``pip install 'swapnas-ext[pandas]'``.
        """
        layers = self.layers
        return data_frame(
            {
                "name": ("string", [layer.name for layer in layers]),
                "kind": ("string", [layer.kind for layer in layers]),
                "captured_as": ("string", [layer.how for layer in layers]),
                "neurons": ("Int64", [layer.neurons for layer in layers]),
                "new_patterns": ("Int64", [layer.new_patterns for layer in layers]),
                "seconds": ("float64", [layer.seconds for layer in layers]),
                "ternary": ("boolean", [layer.rule.ternary for layer in layers]),
                "signed": ("boolean", [layer.rule.signed for layer in layers]),
                "of_input": ("boolean", [layer.rule.of_input for layer in layers]),
                "upper": ("float64", [layer.rule.upper for layer in layers]),
            }
        )

    @property
    def value(self) -> float:
        """``measured * factor``: the score to rank by."""
        return float(self)

    @property
    def measured(self) -> float:
        """The score before size control: the mean of Psi, or what else was measured."""
        return self.measurement.value

    @property
    def spread(self) -> float:
        """Sample standard deviation of `measured` over the repeats; NaN for one repeat."""
        return self.measurement.spread * self.measurement.value

    @property
    def repeats(self) -> int:
        """R, repeats that were read."""
        return self.measurement.repeats

    @property
    def patterns(self) -> tuple[int, ...]:
        """Psi of each repeat; empty where the measure does not count patterns."""
        return self.measurement.patterns

    @property
    def composites(self) -> tuple[Any, ...]:
        """The measure's own reading of each repeat, such as a `Composite`; empty for the published score."""
        return self.measurement.parts

    @property
    def mean(self) -> float:
        """Mean of Psi over the repeats; NaN where the measure does not count patterns."""
        return statistics.fmean(self.patterns) if self.patterns else math.nan

    @property
    def std(self) -> float:
        """Sample standard deviation of Psi over the repeats; NaN for one repeat."""
        return statistics.stdev(self.patterns) if len(self.patterns) > 1 else math.nan

    @property
    def factor(self) -> float:
        """exp(log_factor), 1 without mu and sigma."""
        return math.exp(self.log_factor)

    @property
    def log_value(self) -> float:
        """``log(measured) + log_factor``: ranks as the value does, and never underflows."""
        return self.measurement.log_value + self.log_factor

    @property
    def saturation(self) -> float:
        """Psi / min(V, 2^S), for ternary patterns Psi / min(V, 3^S): near 1, counts of patterns can't tell networks
        apart. NaN where the measure has no such bound."""
        return self.measurement.saturation

    @property
    def is_saturated(self) -> bool:
        """Whether the score is so near the highest possible that it can't tell networks apart."""
        return self.measurement.saturated


def mixed_text(ternary: object, binary: object) -> str:
    """A sentence about a ranking that holds models of both kinds; the arguments are their names or numbers."""
    return (
        f"ternary patterns ({ternary}) and binary ones ({binary}) are compared: three states of a sample make "
        "more patterns than two, so that the kind of activation tells in the ranking; rank each kind by itself"
    )
