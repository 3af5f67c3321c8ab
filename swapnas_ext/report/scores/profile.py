"""Where the time of a score went, and what each layer added, as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from swapnas_ext.report.shared.text import as_text

if TYPE_CHECKING:
    from swapnas_ext.capture import Layer
    from swapnas_ext.scoring import SwapScore


def profile_text(name: str, score: SwapScore) -> str:
    """The time of each step of scoring; and each layer's neurons, time, and new patterns where they were counted."""
    return f"{name}\n{as_text(_steps(score))}\n{as_text(_layers(score))}"


def _steps(score: SwapScore) -> Table:
    timing = score.timing
    table = Table(box=None, pad_edge=False)
    for heading in ("step", "ms", "ms a repeat", "%"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    steps = {
        "build": timing.build,
        "initialise": timing.initialize,
        "forward": timing.forward,
        "count": timing.count,
        "all": timing.total,
    }
    for step, seconds in steps.items():
        each = "" if step == "build" else f"{1e3 * seconds / score.repeats:.2f}"
        share = 100 * seconds / timing.total if timing.total else 0.0
        table.add_row(step, f"{1e3 * seconds:.2f}", each, f"{share:.0f}")
    return table


def _layers(score: SwapScore) -> Table:
    counted = any(layer.new_patterns is not None for layer in score.layers)
    table = Table(box=None, pad_edge=False)
    for heading in ("layer", "kind", "captured as"):
        table.add_column(heading)
    for heading in ("neurons", *(["new patterns"] if counted else []), "ms"):
        table.add_column(heading, justify="right")
    for layer in score.layers:
        table.add_row(
            layer.name or "(the model)",
            layer.kind,
            layer.how,
            f"{layer.neurons:,}",
            *([_new_patterns(layer)] if counted else []),
            f"{1e3 * layer.seconds:.3f}",
        )
    return table


def _new_patterns(layer: Layer) -> str:
    return "-" if layer.new_patterns is None else f"{layer.new_patterns:,}"
