"""What scorers and searches expect of measures: of those that come along, and of some that break it."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from measures.test_own_measures import Activity, log_parameters

from swapnas_ext import measures
from swapnas_ext.measures import FunctionMeasure, Measurement, NeedsTernary, PreparedNetwork
from swapnas_ext.measures.patterns import Patterns
from swapnas_ext.scoring import Scorer
from swapnas_ext.testing import check_measure

SIZES = ("params", "flops")
"""Measures that read no weights."""


@pytest.mark.parametrize(
    "measure", [*measures.names(), Activity, Activity(), f"{Activity.__module__}:Activity"]
)
def test_measures(measure: Any) -> None:
    state = random.getstate(), torch.get_rng_state()
    check_measure(measure, reads_weights=measure not in SIZES)
    assert random.getstate() == state[0] and torch.equal(torch.get_rng_state(), state[1])


def test_functions() -> None:
    check_measure(log_parameters, reads_weights=False)
    factor = 2.0

    def local(network: PreparedNetwork) -> float:
        return factor * Activity().read(network)

    check_measure(local)


# ---- what breaks it --------------------------------------------------------------------------------


class Broken(Activity):
    name = "broken"


class Nameless(Activity):
    name = ""


class Untitled(Broken):
    title = None  # type: ignore[assignment]


class Initialised(Broken):
    default_init = "zeros"


class Taken(Activity):
    name = "patterns"


class NeedsArguments(Broken):
    def __init__(self, depth: int) -> None:
        self.depth = depth


class DrawsWhereMade(Broken):
    def __init__(self) -> None:
        self.offset = random.random()


class Bound(Broken):
    def __init__(self) -> None:
        self.lock = threading.Lock()


class Fails(Broken):
    def read(self, network: PreparedNetwork) -> float:
        raise LookupError("no such layer")


class Constant(Broken):
    def read(self, network: PreparedNetwork) -> float:
        super().read(network)
        return 1.0


class Unseeded(Broken):
    def read(self, network: PreparedNetwork) -> float:
        return super().read(network) + random.Random().random()


class Remembers(Broken):
    def __init__(self) -> None:
        self.calls = 0

    def read(self, network: PreparedNetwork) -> float:
        self.calls += 1
        return super().read(network) - self.calls


class Forgets(Broken):
    """Is another where it arrives."""

    offset = 0.0

    def read(self, network: PreparedNetwork) -> float:
        return super().read(network) + self.offset

    def __reduce__(self) -> Any:
        return _other, ()


def _other() -> Forgets:
    other = Forgets()
    other.offset = 1.0
    return other


class GoesOn(Broken):
    def read(self, network: PreparedNetwork) -> float:
        try:
            return super().read(network)
        except NeedsTernary:
            return 0.0


class Untyped(Broken):
    def read(self, network: PreparedNetwork) -> float:
        try:
            return super().read(network)
        except ValueError as error:
            raise KeyError(str(error)) from error


class Imagines(Broken):
    def read(self, network: PreparedNetwork) -> float:
        try:
            return super().read(network)
        except ValueError:
            return 0.0


class Eager(Broken):
    replicates = True


class Sorted(Patterns):
    """Mixes up the repeats of one forward pass."""

    name = "sorted"

    def read_replicates(self, network: PreparedNetwork) -> list[int]:
        return [2 * count for count in super().read_replicates(network)]

    def read(self, network: PreparedNetwork) -> int:
        return super().read(network) // 2


class Half(Patterns):
    name = "half"

    def read_replicates(self, network: PreparedNetwork) -> list[int]:
        return super().read_replicates(network)[:2]


class Summary(Broken):
    """Gives a wrong measurement, in one of many ways."""

    def __init__(self, **wrong: Any) -> None:
        self.wrong = wrong

    def summary(self, readings: Sequence[float], network: PreparedNetwork) -> Any:
        whole = Measurement.of_logarithms(readings)
        return Measurement(**{**vars(whole), **self.wrong})


class NoSummary(Broken):
    def summary(self, readings: Sequence[float], network: PreparedNetwork) -> Any:
        return sum(readings)


@pytest.mark.parametrize(
    ("measure", "told"),
    [
        ("nothing", r"measures.get\('nothing'\) does not find the measure: ValueError"),
        (NeedsArguments, "does not find the measure: TypeError"),
        (DrawsWhereMade, "the global random numbers .* are others afterwards"),
        (Nameless, "is '': it must be a text without colon"),
        (FunctionMeasure(log_parameters, "a:b"), "is 'a:b': it must be a text without colon"),
        (Untitled, "title is None, which is no str"),
        (Initialised, "default_init is 'zeros': it must be one of gaussian, kaiming, keep"),
        (Taken, "that is the name of swapnas_ext.measures.patterns:Patterns"),
        (Bound, "can't travel to worker processes by cloudpickle: TypeError"),
        (Fails, "with ReLU can't be measured: LookupError: no such layer"),
        (Constant, "all seeds give the score"),
        (log_parameters, "all seeds give the score 1530.0: give reads_weights=False"),
        (Unseeded, "one seed gives .*, and then .*: draw from network.generator"),
        (Remembers, "one seed gives .* keep nothing of other networks"),
        (Forgets, "another score where it arrives by cloudpickle"),
        (GoesOn, "read catches NeedsTernary"),
        (Untyped, "a model without activations raises KeyError .* must raise ValueError"),
        (Imagines, "a model without activations has a score, and must raise ValueError"),
        (Eager, "read_replicates fails: NotImplementedError"),
        (Half, "read_replicates fails: ValueError: 3 repeats have 2 readings"),
        (Sorted, "one by one, and .* in one forward pass"),
        (NoSummary, "summary returns .*, which is no Measurement"),
        (Summary(log_value=math.nan), "gave a log_value that is not a number"),
        (Summary(log_value=math.inf, value=math.inf), "log_value is inf"),
        (Summary(value=1.0), r"value is 1.0, and exp\(log_value\) is 0.*: they must agree"),
        (Summary(repeats=7), "1 repeats are read, and the measurement has repeats=7"),
        (Summary(spread=0.0), "spread is 0.0 for one repeat: it must be NaN"),
        (Summary(spread=math.nan), "spread is nan for 4 repeats: it must be a finite number"),
        (Summary(details={"gain": math.nan}), "details must be JSON-compatible, without NaN"),
        (Summary(details={"rows": {1}}), "details must be JSON-compatible"),
        (Summary(details={"pair": (1, 2)}), "use lists, and texts as keys"),
        (Summary(details={"patterns": "many"}), "run files can't keep .* not a valid candidate"),
    ],
)
def test_measures_that_break_it(measure: Any, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        check_measure(measure)


class Changes(Activity):
    """Leaves a hook, a mode and an attribute behind, which the scorer puts back."""

    name = "changes"

    def read(self, network: PreparedNetwork) -> float:
        network.model.register_forward_hook(lambda *_: None)
        network.model.train()
        network.model.note = "measured"  # type: ignore[assignment]
        return super().read(network)


def test_what_the_scorer_puts_back() -> None:
    check_measure(Changes)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda head: head.register_forward_hook(lambda *_: None), "forward_hooks of head"),
        (lambda head: head.eval(), "mode of head"),
        (lambda head: head.weight.data.add_(1), "parameter head.weight"),
        (lambda head: head.weight.requires_grad_(False), "requires_grad of head.weight"),
        (
            lambda head: setattr(head.weight, "grad", head.weight.detach()),
            "gradient of head.weight",
        ),
        (lambda head: head.register_buffer("mean", torch.zeros(1)), "it has new parts"),
        (lambda head: setattr(head, "note", 1), "attributes of head"),
    ],
)
def test_models_that_are_changed(
    change: Callable[[Any], Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Careless(Scorer):
        def __call__(self, model: Any) -> Any:
            score = super().__call__(model)
            if hasattr(model, "head"):
                change(model.head)
            return score

    monkeypatch.setattr("swapnas_ext.testing.measure.Scorer", Careless)
    with pytest.raises(AssertionError, match=f"activity: the model is not as it was: .*({told})"):
        check_measure(Activity)
