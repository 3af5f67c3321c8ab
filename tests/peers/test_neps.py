"""The pipeline in NePS."""

from __future__ import annotations

from pathlib import Path

import pytest
from peers import IMAGES, package, small_net
from torch import nn

import swapnas_ext as swap
from swapnas_ext.compat.neps import swap_pipeline

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
