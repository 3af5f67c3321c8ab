"""The objective in a study of Optuna's."""

from __future__ import annotations

from typing import Any

import pytest
from peers import IMAGES, package, small_net
from torch import nn

import swapnas_ext as swap
from swapnas_ext.compat.optuna import swap_objective
from swapnas_ext.testing import check_space

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


def conditional(trial: Any) -> nn.Module:
    layers = trial.suggest_int("layers", 1, 2)
    widths = [trial.suggest_categorical(f"width {i}", (4, 8)) for i in range(layers)]
    if trial.suggest_categorical("kind", ("plain", "scaled")) == "scaled":
        trial.suggest_float("scale", 0.1, 10.0, log=True)
    trial.suggest_float("rate", 0.0, 0.3, step=0.1)
    made = [nn.Conv2d(a, b, 3) for a, b in zip((3, *widths), widths, strict=False)]
    return nn.Sequential(*(part for one in made for part in (one, nn.ReLU())))


@pytest.mark.slow
def test_define_by_run_function_as_a_space() -> None:
    space: Any = swap.compat.optuna.space(conditional, steps=3)
    check_space(space, samples=20)
    assert len(list(space)) == (2 + 4) * (1 + 3) * 4
    text = 'layers=2,"width 0"=4,"width 1"=8,kind=scaled,scale=1.0,rate=0.2'
    assert space.parse(text) == {
        "layers": 2, "width 0": 4, "width 1": 8, "kind": "scaled", "scale": 1.0, "rate": 0.2
    }  # fmt: skip
    fixed = optuna.trial.FixedTrial(space.parse(text))
    assert space.size(text) == sum(p.numel() for p in conditional(fixed).parameters())
    with pytest.raises(swap.spaces.ArchitectureError, match=r'expected "width 1"='):
        space.check('layers=2,"width 0"=4,kind=plain,rate=0.2')


def test_functions_that_are_no_space() -> None:
    with pytest.raises(ValueError, match="suggests nothing"):
        swap.compat.optuna.space(lambda trial: small_net())
    with pytest.raises(ZeroDivisionError):
        swap.compat.optuna.space(lambda trial: 1 / 0)  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match="x has no options"):
        swap.compat.optuna.space(lambda trial: trial.suggest_categorical("x", ()))
