"""What a score is: a float that tells how it came about."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from swapnas_ext.sites import Layer

SATURATED = 0.95
_NOTHING = 1e-12  # where no layer has patterns on channels that vary


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


@dataclass(frozen=True)
class Composite:
    """What the composite score of one repeat is made of; see `composite`.

    Attributes:
        diversity: sum over layers of their distinct patterns, each weighted by the square of its
            effective channels over its channels.
        flops: operations of one sample.
        gain: mean |log g| over blocks; 0 where there are fewer than two.
        directness: mean log s over blocks, at most 0.
    """

    diversity: float
    flops: int
    gain: float
    directness: float

    @property
    def log_score(self) -> float:
        return (
            math.log(max(self.diversity, _NOTHING))
            + math.log(max(self.flops, 1)) / 2
            - 2 * self.gain
            + self.directness
        )


@dataclass(frozen=True)
class Result:
    """The fields of a `SwapScore`."""

    patterns: tuple[int, ...]
    neurons: int
    samples: int
    ternary: bool
    parameters: int
    log_factor: float
    layers: tuple[Layer, ...]
    missed: tuple[str, ...]
    notes: tuple[str, ...]
    timing: Timing = field(repr=False)
    composites: tuple[Composite, ...] = ()


class SwapScore(float):
    """A SWAP-Score. Is a float (the value), and tells how it came about.

    Attributes:
        patterns: Psi of each repeat.
        composites: of each repeat, where the score is composite; or else none.
        neurons: V, over all captured layers.
        samples: S.
        ternary: whether the patterns are those of ``torch.sign``.
        parameters: number of parameters of the model.
        log_factor: -(Theta - mu)^2 / sigma, 0 without mu and sigma.
        layers: what was captured: name, kind, how, neurons, and (first repeat) new patterns (on CPU) and
            seconds.
        missed: what looks like an activation and was not captured.
        notes: what the caller should know: saturation, repeats that could not run at once.
        timing: seconds spent.
    """

    patterns: tuple[int, ...]
    neurons: int
    samples: int
    ternary: bool
    parameters: int
    log_factor: float
    layers: tuple[Layer, ...]
    missed: tuple[str, ...]
    notes: tuple[str, ...]
    timing: Timing
    composites: tuple[Composite, ...]

    def __new__(cls, result: Result) -> SwapScore:
        score = super().__new__(cls, _measured(result) * math.exp(result.log_factor))
        score.__dict__.update(vars(result))
        return score

    def __reduce__(self) -> tuple[Any, ...]:
        return SwapScore, (Result(**self.__dict__),)

    def __repr__(self) -> str:
        return (
            f"SwapScore({self.value:.6g}, mean={self.mean:.6g}, std={self.std:.3g}, "
            f"repeats={len(self.patterns)}, neurons={self.neurons}, samples={self.samples}, "
            f"saturation={self.saturation:.3f}, parameters={self.parameters})"
        )

    @property
    def value(self) -> float:
        """``measured * factor``: the score to rank by."""
        return float(self)

    @property
    def measured(self) -> float:
        """What is not yet regularised by size: the mean of Psi; where the score is composite, the geometric
        mean of that."""
        return _measured(self)

    @property
    def mean(self) -> float:
        """Mean of Psi over the repeats."""
        return statistics.fmean(self.patterns)

    @property
    def std(self) -> float:
        """Sample standard deviation of Psi over the repeats; 0 for one."""
        return statistics.stdev(self.patterns) if len(self.patterns) > 1 else 0.0

    @property
    def factor(self) -> float:
        """exp(log_factor), 1 without mu and sigma."""
        return math.exp(self.log_factor)

    @property
    def log_value(self) -> float:
        """``log(measured) + log_factor``: ranks as the value does, and never underflows."""
        return math.log(self.measured) + self.log_factor

    @property
    def saturation(self) -> float:
        """Psi / min(V, 2^S): near 1 the score can't tell networks apart. Of ternary patterns there are
        3^S; where activations are exactly zero now and then, it can be above 1."""
        return self.mean / min(self.neurons, 2**self.samples)


def _measured(of: Result | SwapScore) -> float:
    if of.composites:
        return math.exp(statistics.fmean(composite.log_score for composite in of.composites))
    return statistics.fmean(of.patterns)


def saturation_note(mean: float, neurons: int, layers: Sequence[Layer], samples: int) -> str | None:
    """A sentence where a score is within 5 % of all that it could be, with the S to use instead."""
    ternary = any(layer.rule.ternary for layer in layers)
    three_regions = any(layer.rule.upper is not None for layer in layers)
    # A GELU is positive or negative on most data, and never zero: two states, until there are more.
    states = 3 if three_regions or (ternary and mean > 2**samples / SATURATED) else 2
    possible = states**samples
    if mean < SATURATED * min(neurons, possible):
        return None
    # Where as many patterns are possible as there are neurons, neither limit is near.
    balanced = max(1, round(samples * math.log2(max(neurons, 2)) / math.log2(possible)))
    if possible < neurons:
        better = max(balanced, samples + 1)
        reason = f"of the {possible:,} that are possible with {samples} samples"
    else:
        better = min(balanced, max(1, samples - 1))
        reason = f"of {neurons:,} neurons: nearly every one has its own"
    return (
        f"saturated: {mean:,.0f} patterns {reason}. Such scores can't tell networks apart; use "
        f"{better} samples"
    )


def standard_error(patterns: Sequence[int]) -> float:
    """Of the mean, relative to it; infinite for one repeat."""
    if len(patterns) < 2:
        return math.inf
    return statistics.stdev(patterns) / math.sqrt(len(patterns)) / statistics.fmean(patterns)
