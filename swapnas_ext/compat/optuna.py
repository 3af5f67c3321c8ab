"""For Optuna: an objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from swapnas_ext.scoring import Scorer


def swap_objective(build: Callable[[Any], nn.Module], scorer: Scorer) -> Callable[[Any], float]:
    """An objective to maximise: the score of the model that ``build(trial)`` makes.

    The trial gets the number of parameters, the neurons and the saturation as user attributes. If a model can't be
    scored, since it has no activations or does not fit in memory, its trial is pruned, and the user attribute
    ``not_scored`` says why. Errors that ``build`` raises are left to Optuna.

    Example::

        study = optuna.create_study(direction="maximize")
        study.optimize(swap_objective(build, scorer), n_trials=100)
    """

    def objective(trial: Any) -> float:
        model = build(trial)
        try:
            score = scorer(model)
        except (ValueError, RuntimeError) as error:
            from optuna import TrialPruned

            trial.set_user_attr("not_scored", str(error))
            raise TrialPruned(str(error)) from error
        for name in ("parameters", "neurons", "saturation"):
            trial.set_user_attr(name, getattr(score, name))
        return float(score)

    return objective
