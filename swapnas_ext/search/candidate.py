"""An architecture of a search, and its outcome."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from swapnas_ext._util import json_document, read_document
from swapnas_ext.search.latency import Latency

_log = logging.getLogger(__name__)

MEMORY, LATENCIES = "memory_bytes", "latencies"
"""Names in the details of an outcome of what was measured of the final network."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of scoring an architecture. One of ``score``, ``over`` and ``error`` is set.

    Attributes:
        measure: name of the measure.
        score: before size control.
        log_score: its natural logarithm.
        spread: sample standard deviation over the repeats, relative to the score; None for one repeat.
        details: other results of the measure, JSON-compatible: ``patterns`` and ``patterns_std`` (mean Psi and its
            standard deviation over the repeats), ``saturation``, and details of its own.
        neurons, ternary: those of the `SwapScore`.
        saturated: whether the score is saturated; None if an older run file does not say.
        flops: operations of one forward pass on one sample; a multiplication with addition counts as two. With a
            limit on FLOPs, or the objective, those of the final network; for listed architectures, those of the scored
            network (see `FlopCount`); otherwise None.
        latency: seconds of one forward pass of the final network on one sample, the median of several, on the first
            device; None if the search did not measure it.
        latency_low, latency_high: 95 % confidence interval of the median; None if there was one time only.
        seconds: time that building, measuring and scoring took.
        parameters: of the scored network, where the search has to know; not recorded.
        over: the limit that the architecture exceeds; it is not scored then.
        error: why the architecture could not be scored.
    """

    measure: str | None = None
    score: float | None = None
    log_score: float | None = None
    spread: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    neurons: int | None = None
    ternary: bool | None = None
    saturated: bool | None = None
    flops: int | None = None
    latency: float | None = None
    latency_low: float | None = None
    latency_high: float | None = None
    seconds: float = 0.0
    over: str | None = None
    error: str | None = None
    parameters: int | None = field(default=None, compare=False)

    @classmethod
    def of_patterns(
        cls,
        patterns: float,
        patterns_std: float | None = None,
        *,
        saturation: float | None = None,
        **known: Any,
    ) -> Outcome:
        """The outcome for a published score: mean Psi and its standard deviation. ``known``: other attributes."""
        details = {"patterns": patterns, "patterns_std": patterns_std, "saturation": saturation}
        return cls(
            measure="patterns",
            score=patterns,
            log_score=math.log(patterns),
            spread=None if patterns_std is None else patterns_std / patterns,
            details={name: value for name, value in details.items() if value is not None},
            **known,
        )

    @property
    def is_saturated(self) -> bool:
        """Whether the score is saturated; False if that is not known."""
        return bool(self.saturated)

    @property
    def memory_bytes(self) -> int | None:
        """Peak memory of the final network on one sample, see `peak_memory`; None if it was not counted."""
        size = self.details.get(MEMORY)
        return size if type(size) is int and size > 0 else None

    @property
    def latencies(self) -> dict[str, Latency]:
        """The latency of the final network by the name of the device that it was measured on; the first is that of
        ``latency``. Empty if none was measured."""
        found = self.details.get(LATENCIES)
        read = {
            name: Latency.from_json(times)
            for name, times in (found.items() if isinstance(found, dict) else ())
        }
        return {name: latency for name, latency in read.items() if latency is not None}

    @property
    def patterns(self) -> float | None:
        """Mean Psi over the repeats; None if the measure does not count patterns."""
        return self.details.get("patterns")

    @property
    def patterns_std(self) -> float | None:
        """The standard deviation of Ψ over the repeats; None if it was not counted."""
        return self.details.get("patterns_std")

    @property
    def saturation(self) -> float | None:
        """Ψ, as a part of the most that is possible; None if it was not counted."""
        return self.details.get("saturation")


@dataclass(frozen=True)
class Candidate:
    """An architecture of a search, and its outcome.

    Attributes:
        number: position in the order of proposals, from 0.
        phase: the search of a family that proposed it first.
        architecture, form: its string, and its canonical form.
        parents: numbers of the candidates that it was made from; empty if it was drawn at random.
        parameters: number of parameters of the final network.
        outcome: None while it is being scored.
        finished: time of the outcome, in seconds since the epoch.
    """

    number: int
    phase: int
    architecture: str
    form: str
    parents: tuple[int, ...]
    parameters: int
    outcome: Outcome | None = None
    finished: float | None = None

    def to_json(self) -> str:
        """The candidate as JSON, see `from_json`."""
        return json_document(self)

    @classmethod
    def from_json(cls, text: str) -> Candidate:
        """The candidate that `to_json` wrote. Raises ValueError for any other text, naming the field that is wrong."""
        return read_document(text, cls)[0]

    @property
    def scored(self) -> bool:
        """Whether it has a score."""
        return self.outcome is not None and self.outcome.score is not None

    @property
    def ternary(self) -> bool | None:
        """Whether its patterns are ternary; None if that is not known."""
        return None if self.outcome is None else self.outcome.ternary

    @property
    def is_saturated(self) -> bool:
        """Whether the score is saturated; False if that is not known."""
        return self.outcome is not None and bool(self.outcome.saturated)

    @property
    def has_heavy_tails(self) -> bool:
        """Whether its measure says that some networks score far below all others."""
        return self.outcome is not None and bool(self.outcome.details.get("heavy_tails"))

    @property
    def by_measure(self) -> Mapping[str, Mapping[str, Any]]:
        """What each of several measures found, by its name; empty where there was one."""
        found: Mapping[str, Mapping[str, Any]] = (
            {} if self.outcome is None else self.outcome.details.get("measures", {})
        )
        return found

    @property
    def log_scores(self) -> dict[str, float | None]:
        """Natural logarithms of the scores of several measures, by name; None where one is missing."""
        return {name: found.get("log_score") for name, found in self.by_measure.items()}

    @property
    def score_of(self) -> str | None:
        """Name of the measure that the score is of; None without a score."""
        if self.outcome is None or self.outcome.measure is None:
            return None
        if not self.by_measure:
            return self.outcome.measure
        first = next(iter(self.by_measure))
        name: str = self.outcome.details.get("score_of", first)
        return name

    @property
    def log_score(self) -> float:
        """Natural logarithm of ``score``; NaN without a score."""
        known = None if self.outcome is None else self.outcome.log_score
        return math.nan if known is None else known

    @property
    def score(self) -> float:
        """The score before size control; NaN without a score."""
        known = None if self.outcome is None else self.outcome.score
        return math.nan if known is None else known

    @property
    def patterns(self) -> float:
        """Mean Psi; NaN without a score, or if the measure does not count patterns."""
        known = None if self.outcome is None else self.outcome.patterns
        return math.nan if known is None else known


def log_outcome(candidate: Candidate) -> None:
    """Logs what came of a candidate."""
    number, outcome = candidate.number, candidate.outcome
    assert outcome is not None
    if outcome.error is not None:
        reason = outcome.error.partition("\n")[0]
        _log.info("candidate %d could not be scored: %s", number, reason)
    elif outcome.over is not None:
        _log.debug("candidate %d is beyond the limit on %s", number, outcome.over)
    else:
        _log.debug("candidate %d: %.6g in %.2f s", number, outcome.score, outcome.seconds)
