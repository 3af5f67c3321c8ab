"""What a score is: a float that tells how it came about."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from swapnas_ext.capture import Layer

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
        ternary: whether an activation has three states, of which the patterns are then.
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
        spread = f"std={self.std:.3g}, " if len(self.patterns) > 1 else ""
        return (
            f"SwapScore({self.value:.6g}, mean={self.mean:.6g}, {spread}"
            f"repeats={len(self.patterns)}, neurons={self.neurons}, samples={self.samples}, "
            f"{'ternary=True, ' if self.ternary else ''}"
            f"saturation={self.saturation:.3f}, parameters={self.parameters})"
        )

    def with_note(self, note: str) -> SwapScore:
        return SwapScore(replace(Result(**self.__dict__), notes=(*self.notes, note)))

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
        """Sample standard deviation of Psi over the repeats; NaN for one, which tells nothing of it."""
        return statistics.stdev(self.patterns) if len(self.patterns) > 1 else math.nan

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
        """Psi / min(V, 2^S), of ternary patterns Psi / min(V, 3^S): near 1 the score can't tell networks
        apart."""
        return self.mean / min(self.neurons, (3 if self.ternary else 2) ** self.samples)

    @property
    def is_saturated(self) -> bool:
        """Whether it is within 5 % of all that it could be. Ternary patterns of functions that are never
        exactly zero, as a GELU on most data, are no more than 2^S."""
        possible = _states_in_effect(self) ** self.samples
        return self.mean >= SATURATED * min(self.neurons, possible)


def _measured(of: Result | SwapScore) -> float:
    if of.composites:
        return math.exp(statistics.fmean(composite.log_score for composite in of.composites))
    return statistics.fmean(of.patterns)


def saturation_note(score: SwapScore) -> str | None:
    """A sentence where a score is saturated, with the S to use instead."""
    if not score.is_saturated:
        return None
    samples, neurons = score.samples, score.neurons
    states = _states_in_effect(score)
    possible = states**samples
    # Where as many patterns are possible as there are neurons, neither limit is near.
    balanced = max(1, round(samples * math.log2(max(neurons, 2)) / math.log2(possible)))
    if possible >= neurons:
        better = min(balanced, max(1, samples - 1))
        reason = f"of {neurons:,} neurons: nearly every one has its own"
    else:
        better = max(balanced, samples + 1)
        reason = f"of the {possible:,} that are possible with {samples} samples"
        if score.ternary and states == 2:
            reason = f"where {samples} samples make {possible:,} without zero, the rare third state"
    advice = f"; use {better} samples" if better != samples else ""
    return f"saturated: {score.mean:,.0f} patterns {reason}. Such scores can't tell networks apart{advice}"


def _states_in_effect(score: SwapScore) -> int:
    """How many states of one sample make the patterns. A GELU is positive or negative on most data, and
    never zero: two, until there are more patterns than they make."""
    if not score.ternary:
        return 2
    three_regions = any(layer.rule.upper is not None for layer in score.layers)
    return 3 if three_regions or score.mean > 2**score.samples / SATURATED else 2


def mixed_text(ternary: object, binary: object) -> str:
    """What to say of a ranking with models of both kinds, such as their names or numbers."""
    return (
        f"ternary patterns ({ternary}) and binary ones ({binary}) are compared: three states of a sample make "
        "more patterns than two, so that the kind of activation tells in the ranking; rank each kind by itself"
    )


def standard_error(patterns: Sequence[int]) -> float:
    """Of the mean, relative to it; infinite for one repeat."""
    if len(patterns) < 2:
        return math.inf
    return statistics.stdev(patterns) / math.sqrt(len(patterns)) / statistics.fmean(patterns)
