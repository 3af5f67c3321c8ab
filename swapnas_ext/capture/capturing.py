"""Feeds activations to a counter in a loop of your own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from swapnas_ext.capture.capture import Capture
from swapnas_ext.capture.plan import Plan
from swapnas_ext.capture.watched import find_activations
from swapnas_ext.models import take_inventory
from swapnas_ext.patterns import PatternCounter


@contextmanager
def capturing(
    model: nn.Module, counter: PatternCounter, plan: Plan | None = None
) -> Iterator[Capture]:
    """Feeds the activations of ``model`` to ``counter`` for as long as the context lasts. The model runs in the mode
    that it is in. For loops and CUDA graphs of your own::

        counter = PatternCounter(samples=16)
        with torch.no_grad(), capturing(model, counter):
            model(images)
        counter.count()

    Raises:
        ValueError: the model has activations with ternary patterns, and the counter's are binary.
    """
    plan = plan or Plan()
    watched = find_activations(take_inventory(model), plan)
    capture = Capture(counter, plan)
    capture.needs_ternary = watched.ternary and not counter.ternary
    if not capture.needs_ternary:
        with capture.running(watched):
            yield capture
    if capture.needs_ternary:
        raise ValueError(
            f"{type(model).__name__} has activations with ternary patterns; make the counter with "
            "ternary=True"
        )
