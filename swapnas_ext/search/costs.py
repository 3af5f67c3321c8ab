"""What a final network costs for one sample: the objectives and the limits of a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from swapnas_ext.search.candidate import Candidate
from swapnas_ext.search.limits import flops_text, memory_text, seconds_text


@dataclass(frozen=True)
class Cost:
    """A cost of the final network; lower is better.

    Attributes:
        name: the objective that minimises it.
        title: what it is called in sentences.
        recorded_unit: the unit in which it is recorded.
        unit, scale: the unit of tables and charts, and how much of the recorded unit it is.
        limit: the setting that limits it.
        text: a value with its unit.
        recorded: the cost of a candidate, in its recorded unit; None if it is not known.
    """

    name: str
    title: str
    recorded_unit: str
    unit: str
    scale: float
    limit: str
    text: Callable[[float], str]
    recorded: Callable[[Candidate], float | None]

    def is_recorded_by(self, settings: Mapping[str, Any]) -> bool:
        """Whether a search with these settings (of the run file) records the cost of every scored candidate."""
        search = settings.get("search") or {}
        asked = self.name == search.get("objective") or search.get(self.limit) is not None
        of_device = self.name == "latency" and bool(settings.get("latency"))
        return asked or of_device or self.name == "parameters"


def _of_outcome(name: str) -> Callable[[Candidate], float | None]:
    return lambda candidate: None if candidate.outcome is None else getattr(candidate.outcome, name)


COSTS: Mapping[str, Cost] = {
    cost.name: cost
    for cost in (
        Cost(
            "parameters",
            "size",
            "parameters",
            "M parameters",
            1e6,
            "max_params",
            lambda n: f"{n:,.0f}",
            lambda candidate: candidate.parameters,
        ),
        Cost(
            "flops",
            "operations",
            "operations",
            "MFLOPs",
            1e6,
            "max_flops",
            flops_text,
            _of_outcome("flops"),
        ),
        Cost(
            "memory",
            "peak memory",
            "bytes",
            "MB",
            1e6,
            "max_peak_memory",
            memory_text,
            _of_outcome("memory_bytes"),
        ),
        Cost(
            "latency",
            "latency",
            "seconds",
            "ms",
            1e-3,
            "max_latency",
            seconds_text,
            _of_outcome("latency"),
        ),
    )
}
"""The costs, by the name of their objective."""


def cost_of(name: str) -> Cost:
    """The cost with a name. Raises ValueError for an unknown name."""
    if name not in COSTS:
        raise ValueError(f"objective must be one of {', '.join(COSTS)}, got {name!r}")
    return COSTS[name]
