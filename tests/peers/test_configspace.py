"""Spaces of ConfigSpace as search spaces."""

from __future__ import annotations

import random
from typing import Any

import pytest
from peers import package, small_net
from torch import nn

import swapnas_ext as swap
from swapnas_ext.testing import check_space

package("ConfigSpace", "ConfigSpace")
from ConfigSpace import (  # noqa: E402
    Categorical,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    InCondition,
    Integer,
    OrConjunction,
    OrdinalHyperparameter,
)


def build(config: dict[str, Any]) -> nn.Module:
    return small_net(config["width"] * (2 if config["act"] == "relu" else 1))


def conditional() -> ConfigurationSpace:
    made = ConfigurationSpace()
    act = Categorical("act", ["relu", "gelu", "none"])
    width = Integer("width", (1, 3))
    slope = Float("slope", (0.01, 1.0), log=True)
    order = OrdinalHyperparameter("order", ["low", "mid", "high"])
    made.add(act, width, slope, order)
    made.add(EqualsCondition(slope, act, "relu"))
    made.add(OrConjunction(InCondition(order, act, ["gelu"]), EqualsCondition(order, width, 3)))
    made.add(
        ForbiddenAndConjunction(ForbiddenEqualsClause(act, "none"), ForbiddenEqualsClause(width, 2))
    )
    return made


def test_contract() -> None:
    check_space(swap.compat.configspace.space(conditional(), build), samples=30)


def test_all_architectures_are_the_configurations_that_configspace_allows() -> None:
    config_space = conditional()
    space: Any = swap.compat.configspace.space(config_space, build, steps=3)
    listed = [space.parse(text) for text in space]
    for values in listed:
        config_space.check_configuration(
            type(config_space.sample_configuration())(config_space, values)
        )
    # relu: 2 widths with 3 slopes, 1 with 3 slopes and 3 orders; gelu: 9; none: width 1, width 3 with 3 orders
    assert len(listed) == 2 * 3 + 9 + 9 + 1 + 3
    drawn = {(one["act"], one["width"]) for one in config_space.sample_configuration(200)}
    assert drawn == {(values["act"], values["width"]) for values in listed}


def test_ranges() -> None:
    space: Any = swap.compat.configspace.space(
        ConfigurationSpace({"lr": Float("lr", (0.001, 1.0), log=True), "n": (1, 1_000_000)}),
        lambda config: small_net(2),
        steps=4,
    )
    assert [values for text in space if (values := space.parse(text))["n"] == 1] == [
        {"lr": lr, "n": 1} for lr in (0.001, 0.01, 0.1, 1.0)
    ]
    assert len(space) == 16


def test_nothing_allowed() -> None:
    made = ConfigurationSpace({"a": [1, 2]})
    made.add(ForbiddenEqualsClause(made["a"], 2))
    with pytest.raises(ValueError, match="single architecture"):
        swap.compat.configspace.space(made, build)


def test_search() -> None:
    space = swap.compat.configspace.space(conditional(), build)
    scorer = swap.Scorer(space.inputs(8), init="gaussian")
    settings = swap.search.SearchSettings(candidates=8, strategy="random")
    found = swap.search.search(space, scorer, settings)
    assert found.best.parameters == space.size(found.best.architecture)
    assert space.sample(random.Random(0)) == space.sample(random.Random(0))
