"""The objective in a study of Optuna's."""

from __future__ import annotations

from typing import Any

import pytest
from peers import IMAGES, package, small_net
from torch import nn

import swapnas_ext as swap
from swapnas_ext.compat.optuna import swap_objective

optuna = package("optuna", "optuna")
pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
PRUNED, COMPLETE, FAIL = (optuna.trial.TrialState[name] for name in ("PRUNED", "COMPLETE", "FAIL"))


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def scorer() -> swap.Scorer:
    return swap.Scorer(IMAGES[:16], init="gaussian", seed=3)


def study(objective: Any, trials: int, **options: Any) -> Any:
    made = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(0))
    made.optimize(objective, n_trials=trials, **options)
    return made


def test_study(scorer: swap.Scorer) -> None:
    done = study(swap_objective(lambda t: small_net(t.suggest_int("width", 1, 8)), scorer), 4)
    best = small_net(done.best_params["width"])
    assert done.best_value == scorer(best)
    assert done.best_trial.user_attrs["parameters"] == scorer(best).parameters


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (nn.Conv2d(3, 4, 3), "no activation"),
        (nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()), "channels"),
    ],
)
def test_model_that_can_not_be_scored(scorer: swap.Scorer, model: nn.Module, reason: str) -> None:
    def build(trial: Any) -> nn.Module:
        return model if trial.number == 1 else small_net()

    done = study(swap_objective(build, scorer), 3)
    assert [trial.state for trial in done.trials] == [COMPLETE, PRUNED, COMPLETE]
    assert reason in done.trials[1].user_attrs["not_scored"]


def test_what_build_raises_is_not_hidden(scorer: swap.Scorer) -> None:
    def build(_: Any) -> nn.Module:
        raise ValueError("a bug")

    done = study(swap_objective(build, scorer), 1, catch=(ValueError,))
    assert done.trials[0].state == FAIL
