"""Several measures in one score: the same numbers as of each alone, in fewer passes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from support.composite import IMAGES, Net, Residual
from torch import nn

import swapnas_ext as swap
from swapnas_ext import measures

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
    assert measures.get("patterns,capacity").default_init == "keep"
    with pytest.raises(ValueError, match="given twice: patterns"):
        measures.get("swap,patterns")
    with pytest.raises(ValueError, match="'nwott'"):
        measures.get("swap,nwott")
