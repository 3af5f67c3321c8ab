"""Where the time of a score went, and what each layer brought, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from swapnas_ext.report.shared.text import as_text

if TYPE_CHECKING:
    from swapnas_ext.scoring import SwapScore


def profile_text(name: str, score: SwapScore) -> str:
    """Seconds of building, initialising, running and counting; for each layer its neurons, the patterns
    that it added, and its time."""
    timing = score.timing
    repeats = score.repeats
    times = Table(box=None, pad_edge=False)
    for heading in ("step", "ms", "ms a repeat", "%"):
        times.add_column(heading, justify="left" if heading == "step" else "right")
    steps = {
        "build": timing.build,
        "initialise": timing.initialize,
        "forward": timing.forward,
        "count": timing.count,
        "all": timing.total,
    }
    for step, seconds in steps.items():
        each = "" if step == "build" else f"{1e3 * seconds / repeats:.2f}"
        share = 100 * seconds / timing.total if timing.total else 0.0
        times.add_row(step, f"{1e3 * seconds:.2f}", each, f"{share:.0f}")

    layers = Table(box=None, pad_edge=False)
    for heading in ("layer", "kind", "captured as"):
        layers.add_column(heading)
    for heading in ("neurons", "new patterns", "ms"):
        layers.add_column(heading, justify="right")
    for layer in score.layers:
        new = "-" if layer.new_patterns is None else f"{layer.new_patterns:,}"
        layers.add_row(
            layer.name or "(the model)",
            layer.kind,
            layer.how,
            f"{layer.neurons:,}",
            new,
            f"{1e3 * layer.seconds:.3f}",
        )
    return f"{name}\n{as_text(times)}\n{as_text(layers)}"
