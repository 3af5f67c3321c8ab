"""NePS: a pipeline to evaluate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from swapnas_ext.scoring import Scorer


def swap_pipeline(build: Callable[..., nn.Module], scorer: Scorer) -> Callable[..., dict[str, Any]]:
    """An ``evaluate_pipeline``: the score of the model that ``build(**config)`` makes.

    NePS minimises, so the objective is the score with a minus. Score, number of parameters and saturation
    are in the result's ``info_dict``. For a model that can't be scored the error is NePS's to handle
    (``ignore_errors``, ``objective_value_on_error``).

    Example::

        neps.run(swap_pipeline(build, scorer), Space(), root_directory="results")
    """

    def evaluate_pipeline(**config: Any) -> dict[str, Any]:
        score = scorer(build(**config))
        return {
            "objective_to_minimize": -float(score),
            "info_dict": {
                "swap": float(score),
                "parameters": score.parameters,
                "saturation": score.saturation,
            },
        }

    return evaluate_pipeline
