"""Optuna: an objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from swapnas_ext.scoring import Scorer


def swap_objective(build: Callable[[Any], nn.Module], scorer: Scorer) -> Callable[[Any], float]:
    """An objective to maximise: the score of the model that ``build(trial)`` makes of its suggestions.

    Number of parameters, neurons and saturation become user attributes of the trial. A model that can't be
    scored, such as one without activations, or one that does not fit in memory, prunes its trial, with the
    reason as the user attribute ``not_scored``; what ``build`` itself raises is left to Optuna.

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
