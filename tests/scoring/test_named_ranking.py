"""Rankings of models with names, and of models with the weights that they have."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn

import swapnas_ext as swap

X = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))


def net(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, width), nn.ReLU())


def scorer(**options: Any) -> swap.Scorer:
    return swap.Scorer(X, **{"init": "gaussian", **options})


def test_models_by_name_come_back_as_names() -> None:
    named = {"small": net(2), "large": net(40), "built": lambda: net(12)}
    by_model = scorer().rank(list(named.values()))
    by_name = scorer().rank(named)
    assert [name for _, name in by_name] == ["large", "built", "small"]
    assert [float(score) for score, _ in by_name] == [float(score) for score, _ in by_model]
    assert scorer().rank(named.items()) == scorer().rank(pair for pair in named.items()) == by_name
    modules = nn.ModuleDict({"small": net(2), "large": net(40)})
    assert [name for _, name in scorer().rank(modules)] == ["large", "small"]
    assert scorer().rank({}) == scorer().rank([]) == []


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        ([("a", net(2)), net(3)], TypeError, r"not both: models\[1\] is Sequential"),
        ([net(2), ("a", net(3))], TypeError, r"not both: models\[1\] is a pair"),
        ({1: net(2)}, TypeError, "name of a model must be a str, got int"),
        ([("a", net(2)), ("a", net(3))], ValueError, "two models are called 'a'"),
        (5, TypeError, "rank takes several models, .* got int"),
        ({"good": net(2), "bad": nn.Linear(8, 3)}, ValueError, "^bad: "),
        ([net(2), nn.Linear(8, 3)], ValueError, r"^models\[1\]: "),
        ({"text": "no model"}, TypeError, "^text: expected a torch.nn.Module"),
    ],
)
def test_errors_say_which_model(models: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        scorer().rank(models)


def test_errors_keep_their_class() -> None:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise KeyError("no such layer")

    with pytest.raises(KeyError, match="its name: no such layer"):
        scorer().rank({"its name": Broken()})


def test_warnings_say_the_name() -> None:
    with pytest.warns(swap.ScoreWarning, match=r"^wide \(Sequential\): saturated"):
        scorer().rank({"wide": net(2_000)})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        own = scorer(measure="swap,nwot", init="own")
        own.rank({"wide": net(2_000)})
        own(net(2_000))
    assert any("wide (Sequential)" in str(one.message) for one in caught)


def of_weights(caught: list[warnings.WarningMessage]) -> list[str]:
    return [str(one.message) for one in caught if "weights that they have" in str(one.message)]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"init": None}, True),
        ({"init": "keep", "measure": "zen"}, True),
        ({"init": "gaussian"}, False),
        ({"init": None, "measure": "capacity"}, False),  # it is defined for weights as built
        ({"init": "own", "measure": "swap,nwot"}, False),
    ],
)
def test_a_ranking_of_weights_is_told_once(options: dict[str, Any], kept: bool) -> None:
    images = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    models = [
        nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU()) for width in (2, 4)
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        one = swap.Scorer(images, **options)
        ranked = one.rank(models)
        single = one(models[0])
    assert len(of_weights(caught)) == kept
    assert all(any("the weights that it has" in n for n in s.notes) == kept for s, _ in ranked)
    assert not any("the weights that it has" in note for note in single.notes)
    if kept:
        assert "init='gaussian' compares architectures" in of_weights(caught)[0]


def test_functions_that_build_models_draw_weights() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scorer(init=None).rank([lambda: net(3), net(2)])
    assert of_weights(caught) and of_weights(caught)[0].startswith("1 of 2 models")
