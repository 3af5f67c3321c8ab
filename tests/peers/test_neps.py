"""The pipeline in NePS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from peers import IMAGES, package, small_net
from torch import nn

import swapnas_ext as swap
from swapnas_ext.compat.neps import swap_pipeline
from swapnas_ext.testing import check_space

neps = package("neps", "neural-pipeline-search")
pytestmark = pytest.mark.filterwarnings("ignore")


class Space(neps.PipelineSpace):  # type: ignore[misc,name-defined]
    width = neps.Integer(1, 8)


def test_run(tmp_path: Path) -> None:
    scorer = swap.Scorer(IMAGES[:16], init="gaussian", seed=3)

    def build(width: int) -> nn.Module:
        return small_net(width)

    neps.run(
        swap_pipeline(build, scorer),
        Space(),
        root_directory=tmp_path / "results",
        total_evaluations_to_spend=3,
        optimizer="random_search",
    )
    trials, _ = neps.status(tmp_path / "results")
    assert len(trials) == 3
    for _, trial in trials.iterrows():
        width = next(int(value) for name, value in trial.items() if "width" in str(name))
        assert trial["objective_to_minimize"] == -float(scorer(small_net(width)))


class Nested(neps.PipelineSpace):  # type: ignore[misc,name-defined]
    width = neps.Integer(1, 3)
    rate = neps.Float(0.01, 1.0, log=True)
    act = neps.Categorical(
        (
            neps.Operation(operator=nn.ReLU),
            neps.Operation(operator=nn.LeakyReLU, args=(neps.Categorical((0.1, 0.2)),)),
        )
    )


def with_act(width: int, rate: float, act: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 3), act)


def test_pipeline_space_as_a_space() -> None:
    space: Any = swap.compat.neps.space(Nested(), with_act, steps=3)
    check_space(space, samples=20)
    listed = list(space)
    assert len(listed) == 3 * 3 * (1 + 2)
    slopes = {space.build(text)[1].negative_slope for text in listed if "0.2" in text}
    assert slopes == {0.2}
    assert {type(space.build(text)[1]) for text in listed} == {nn.ReLU, nn.LeakyReLU}
