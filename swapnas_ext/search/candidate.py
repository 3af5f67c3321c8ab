"""What a search knows of one architecture."""

from __future__ import annotations

import math
from dataclasses import dataclass

from swapnas_ext.scoring import SATURATED


@dataclass(frozen=True)
class Outcome:
    """What came of scoring an architecture. One of ``patterns``, ``over`` and ``error`` is set.

    Attributes:
        patterns: the SWAP-Score, not regularised: mean over the repeats.
        patterns_std: over the repeats; None of one.
        neurons, saturation, ternary: as of `SwapScore`.
        saturated: its ``is_saturated``. Older run files tell neither this nor ``ternary``.
        flops: of one forward pass on one sample, two for a multiplication with addition: of the final
            network where they are limited, of the scored one for listed architectures (see `FlopCount`);
            None in other searches.
        latency: seconds of the same, the median of several runs; None where it is not limited.
        latency_low, latency_high: the median's 95 % confidence interval, from how the runs spread.
        seconds: what all of it took.
        over: which limit the architecture exceeds, and was not scored for.
        error: why it could not be scored.
        log_composite: natural logarithm of the composite score, where that is what is measured.
    """

    patterns: float | None = None
    patterns_std: float | None = None
    neurons: int | None = None
    saturation: float | None = None
    flops: int | None = None
    latency: float | None = None
    seconds: float = 0.0
    over: str | None = None
    error: str | None = None
    log_composite: float | None = None
    ternary: bool | None = None
    saturated: bool | None = None
    latency_low: float | None = None
    latency_high: float | None = None

    @property
    def is_saturated(self) -> bool:
        if self.saturated is not None:
            return self.saturated
        # Of ternary patterns too it was taken against 2^S then, and may be far above 1.
        return self.saturation is not None and SATURATED <= self.saturation <= 1 / SATURATED


@dataclass(frozen=True)
class Candidate:
    """An architecture of a search, and what came of it.

    Attributes:
        number: in the order in which they were proposed, from 0.
        phase: which search of a family proposed it first.
        architecture, form: its string, and its canonical form.
        parents: numbers of the candidates that it was made from; none where it was made at random.
        parameters: of the final network.
        outcome: None while it is being scored.
        finished: seconds since the epoch.
    """

    number: int
    phase: int
    architecture: str
    form: str
    parents: tuple[int, ...]
    parameters: int
    outcome: Outcome | None = None
    finished: float | None = None

    @property
    def scored(self) -> bool:
        return self.outcome is not None and self.outcome.patterns is not None

    @property
    def is_composite(self) -> bool:
        """Whether its score is."""
        return self.outcome is not None and self.outcome.log_composite is not None

    @property
    def ternary(self) -> bool | None:
        """Whether its patterns are; None where that is not known."""
        return None if self.outcome is None else self.outcome.ternary

    @property
    def is_saturated(self) -> bool:
        return self.outcome is not None and self.outcome.is_saturated

    @property
    def log_score(self) -> float:
        """Natural logarithm of ``score``."""
        if self.outcome is not None and self.outcome.log_composite is not None:
            return self.outcome.log_composite
        return math.log(self.patterns)

    @property
    def score(self) -> float:
        """What the scorer measures, not regularised; NaN where it was not scored."""
        if self.outcome is not None and self.outcome.log_composite is not None:
            return math.exp(self.outcome.log_composite)
        return self.patterns

    @property
    def patterns(self) -> float:
        """The SWAP-Score, not regularised; NaN where it was not scored."""
        if self.outcome is None or self.outcome.patterns is None:
            return math.nan
        return self.outcome.patterns
