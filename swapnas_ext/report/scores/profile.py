"""Where the time of a score went, and what each layer added, as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swapnas_ext._util import decimal
from swapnas_ext.report.shared.text import columns_text

if TYPE_CHECKING:
    from swapnas_ext.capture import Layer
    from swapnas_ext.scoring import SwapScore

_NAMES = ("kind", "captured as")


def profile_text(name: str, score: SwapScore, width: int | None = None) -> str:
    """The time of each step of scoring; and each layer's neurons, time, and new patterns where they were counted."""
    steps = columns_text(_steps(score), width)
    return f"{name}\n{steps}\n{columns_text(_layers(score), width, sentences=_NAMES)}"


def _steps(score: SwapScore) -> dict[str, list[str]]:
    timing = score.timing
    steps = {
        "build": timing.build,
        "initialise": timing.initialize,
        "forward": timing.forward,
        "count": timing.count,
        "all": timing.total,
    }
    return {
        "step": list(steps),
        "ms": [decimal(1e3 * seconds, 2) for seconds in steps.values()],
        "ms a repeat": [
            "" if step == "build" else decimal(1e3 * seconds / score.repeats, 2)
            for step, seconds in steps.items()
        ],
        "%": [
            decimal(100 * seconds / timing.total if timing.total else 0.0, 0)
            for seconds in steps.values()
        ],
    }


def _layers(score: SwapScore) -> dict[str, list[str]]:
    layers = score.layers
    columns: dict[str, list[str]] = {
        "layer": [layer.name or "(the model)" for layer in layers],
        "kind": [layer.kind for layer in layers],
        "captured as": [layer.how for layer in layers],
        "neurons": [f"{layer.neurons:,}" for layer in layers],
    }
    if any(layer.new_patterns is not None for layer in layers):
        columns["new patterns"] = [_new_patterns(layer) for layer in layers]
    columns["ms"] = [decimal(1e3 * layer.seconds, 3) for layer in layers]
    return columns


def _new_patterns(layer: Layer) -> str:
    return "-" if layer.new_patterns is None else f"{layer.new_patterns:,}"
