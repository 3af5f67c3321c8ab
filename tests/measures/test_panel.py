"""Several measures in one score: the same numbers as of each alone, in fewer passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from support.composite import IMAGES, Net, Residual
from torch import nn

import swapnas_ext as swap
from swapnas_ext import measures
from swapnas_ext.measures import PreparedNetwork
from swapnas_ext.measures.on_samples import OnSamples
from swapnas_ext.scoring import SeededBuilds

NAMES = "patterns", "capacity", "nwot", "composite", "params", "jacov"


def net() -> Net:
    return Net(Residual(4, 4), Residual(4, 8, stride=2), Residual(8, 8))


def panel(model: Any, names: str, **options: Any) -> dict[str, dict[str, Any]]:
    score = swap.score(model, IMAGES, measure=names, **options)
    json.dumps(dict(score.measurement.details))
    found: dict[str, dict[str, Any]] = score.measurement.details["measures"]
    return found


@pytest.mark.parametrize("init", [None, "kaiming"])
def test_each_measure_finds_what_it_finds_alone(init: str | None) -> None:
    model = net()
    found = panel(model, ",".join(NAMES), init=init, seed=3)
    assert tuple(found) == NAMES
    for name in NAMES:
        alone = swap.score(model, IMAGES, measure=name, init=init, seed=3)
        assert found[name]["log_score"] == pytest.approx(alone.log_value, abs=1e-6), name


def test_repeats() -> None:
    model = net()
    found = panel(model, "patterns,capacity,nwot", init="kaiming", repeats=3)
    for name, of_measure in found.items():
        alone = swap.score(model, IMAGES, measure=name, init="kaiming", repeats=3)
        assert of_measure["log_score"] == pytest.approx(alone.log_value, abs=1e-6)
        assert of_measure["spread"] == pytest.approx(alone.measurement.spread, rel=1e-3)


def test_the_passes_on_the_samples_are_one() -> None:
    model, calls = net(), []
    model.register_forward_hook(lambda *_: calls.append(1))
    swap.score(model, IMAGES, measure="nwot")
    of_one = len(calls)
    calls.clear()
    panel(model, "patterns,nwot")
    assert len(calls) == of_one


def test_a_measure_that_cannot_read_a_network_is_missing() -> None:
    tokens = torch.arange(12).reshape(4, 3)
    model = nn.Sequential(nn.Embedding(12, 5), nn.Linear(5, 6), nn.ReLU())
    score = swap.score(model, tokens, measure="synflow,patterns")
    found = score.measurement.details["measures"]
    assert "ValueError" in found["synflow"]["error"]
    assert score == found["patterns"]["score"] == swap.score(model, tokens)
    with pytest.raises(ValueError, match="SynFlow sends ones"):
        swap.score(model, tokens, measure="synflow,zen")


def test_names() -> None:
    assert measures.get("swap, nwot").name == "patterns,nwot"
    assert measures.get("nwot,capacity").default_init == "keep"
    assert measures.get("patterns,zen").default_init == "gaussian"
    assert measures.get("patterns,capacity").default_init == "own"
    with pytest.raises(ValueError, match="given twice: patterns"):
        measures.get("swap,patterns")
    with pytest.raises(ValueError, match="'nwott'"):
        measures.get("swap,nwott")


def built() -> SeededBuilds:
    return SeededBuilds(net, 5, torch.manual_seed)


@pytest.mark.parametrize("make", [built, net])
def test_each_reads_weights_of_its_own_initialiser(make: Callable[[], Any]) -> None:
    names = "nwot", "patterns", "capacity", "zen", "params"
    model = make()
    found = panel(model, ",".join(names), init="own", seed=5)
    assert tuple(found) == names
    for name in names:
        own, by_name = (
            swap.score(make() if make is built else model, IMAGES, measure=name, init=init, seed=5)
            for init in ("own", measures.get(name).default_init)
        )
        assert own == by_name
        assert found[name]["log_score"] == pytest.approx(own.log_value, abs=1e-6), name


def test_a_score_by_own_initialisers_has_what_others_have() -> None:
    score = swap.score(net(), IMAGES, measure="nwot,patterns", init="own")
    assert score.neurons == swap.score(net(), IMAGES).neurons
    assert score.timing.forward > 0


def test_repeats_of_own_initialisers() -> None:
    found = panel(built(), "patterns,nwot", init="own", seed=5, repeats=3)
    for name in ("patterns", "nwot"):
        alone = swap.score(built(), IMAGES, measure=name, init="own", seed=5, repeats=3)
        assert found[name]["log_score"] == pytest.approx(alone.log_value, abs=1e-6)
        assert found[name]["spread"] == pytest.approx(alone.measurement.spread, rel=1e-3)


def test_what_is_missing_of_own_initialisers() -> None:
    tokens = torch.arange(12).reshape(4, 3)
    model = nn.Sequential(nn.Embedding(12, 5), nn.Linear(5, 6), nn.ReLU())
    score = swap.score(model, tokens, measure="synflow,zen,patterns,params", init="own")
    found = score.measurement.details
    assert found["score_of"] == "patterns"
    assert [name for name, one in found["measures"].items() if "error" in one] == ["synflow", "zen"]
    missing = [note for note in score.notes if note.startswith("no ")]
    assert [note.partition(":")[0] for note in missing] == ["no synflow", "no zen"]
    assert sum("the score is that of" in note for note in score.notes) == 1
    with pytest.raises(ValueError, match="SynFlow sends ones"):
        swap.score(model, tokens, measure="synflow,zen", init="own")


def test_operations_are_those_of_the_samples() -> None:
    model = net()
    expected = swap.score(model, IMAGES, measure="flops").measurement.details["flops"]
    for names in ("patterns,synflow,zen,flops", "flops,zen", "capacity,patterns"):
        found = swap.score(model, IMAGES, measure=names, init="own").measurement.details
        assert found["flops"] == expected


@pytest.mark.parametrize("init", ["own", "keep"])
def test_the_reason_of_each_that_is_missing(init: str) -> None:
    tokens = torch.arange(12).reshape(4, 3)
    model = nn.Sequential(nn.Embedding(12, 5), nn.Linear(5, 6), nn.ReLU())
    score = swap.score(model, tokens, measure="jacov,synflow,patterns", init=init)
    found = score.measurement.details["measures"]
    for name in ("jacov", "synflow"):
        with pytest.raises(ValueError) as alone:
            swap.score(model, tokens, measure=name)
        assert found[name] == {"error": f"ValueError: {alone.value}"}


class Broken(measures.FunctionMeasure):
    """Fails after its readings."""

    def summary(self, readings: Sequence[float], network: measures.PreparedNetwork) -> Any:
        raise RuntimeError("two\nlines")


def test_a_measure_that_fails_in_its_summary_is_missing() -> None:
    both = measures.Panel([Broken(lambda network: 1.0, "broken"), measures.get("patterns")])
    score = swap.score(net(), IMAGES, measure=both)
    assert score == swap.score(net(), IMAGES)
    assert score.measurement.details["measures"]["broken"] == {"error": "RuntimeError: two lines"}


class Unready(measures.Measure[float]):
    """Fails before its pass begins."""

    name = title = "unready"

    def on_samples(self, network: PreparedNetwork, stack: ExitStack) -> OnSamples | None:
        raise RuntimeError("not now")

    def read(self, network: PreparedNetwork) -> float:
        return 1.0

    def summary(self, readings: Sequence[float], network: PreparedNetwork) -> measures.Measurement:
        return measures.Measurement.of_logarithms(readings)


def test_a_measure_that_fails_before_its_pass_is_missing() -> None:
    found = swap.score(net(), IMAGES, measure=measures.Panel([Unready(), measures.get("nwot")]))
    told = found.measurement.details
    assert told["measures"]["unready"]["error"] == "RuntimeError: not now"
    assert told["score_of"] == "nwot"
