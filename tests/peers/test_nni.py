"""The evaluator as NNI sends and runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from peers import IMAGES, package, small_net
from torch import nn

import swapnas_ext as swap
from swapnas_ext.compat.nni import swap_evaluator

nni = package("nni", "nni==3.0")
evaluator = package("nni.nas.evaluator", "nni==3.0 pytorch-lightning")
experiment = package("nni.nas.experiment", "nni==3.0 pytorch-lightning")
strategy = package("nni.nas.strategy", "nni==3.0 pytorch-lightning")
serializer = package("nni.common.serializer", "nni==3.0")
layers = package("nni.nas.nn.pytorch", "nni==3.0 pytorch-lightning")

pytestmark = pytest.mark.filterwarnings("ignore")
LIMIT = 64 * 1024  # of what the default engine sends


def make_scorer() -> swap.Scorer:
    return swap.Scorer(IMAGES[:16], init="gaussian", seed=3)


class Space(layers.ModelSpace):  # type: ignore[misc,name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.net = layers.LayerChoice([small_net(1), small_net(8)], label="width")

    def forward(self, x: Any) -> Any:
        return self.net(x)


def test_what_travels_is_small() -> None:
    sent = nni.dump(
        evaluator.FunctionalEvaluator(swap_evaluator, scorer=make_scorer), pickle_size_limit=LIMIT
    )
    assert len(sent) < 500
    arrived = nni.load(sent)
    net = small_net()
    assert arrived.evaluate(net) == make_scorer()(net)


def test_a_scorer_is_too_large_to_travel() -> None:
    """Why a function is given."""
    with pytest.raises(serializer.PayloadTooLarge):
        nni.dump(
            evaluator.FunctionalEvaluator(swap_evaluator, scorer=make_scorer()),
            pickle_size_limit=LIMIT,
        )


@pytest.mark.parametrize("scorer", [make_scorer, make_scorer()], ids=["function", "scorer"])
def test_sequential_experiment(
    scorer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = experiment.NasExperimentConfig("sequential", "simplified")
    config.max_trial_number = 2
    config.experiment_working_directory = str(tmp_path)
    ran = experiment.NasExperiment(
        Space(),
        evaluator.FunctionalEvaluator(swap_evaluator, scorer=scorer),
        strategy.GridSearch(),
        config,
    )
    ran.run(None)
    found = [model.metric for model in ran.export_top_models(top_k=2)]
    wanted = [float(make_scorer()(small_net(width))) for width in (1, 8)]
    assert found == sorted(wanted, reverse=True)


def test_scorer_that_is_none() -> None:
    with pytest.raises(TypeError, match="got str"):
        swap_evaluator(small_net(), "scorer")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must make a Scorer, got Linear"):
        swap_evaluator(small_net(), lambda: nn.Linear(1, 1))  # type: ignore[arg-type,return-value]
