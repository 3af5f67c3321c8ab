"""For NePS: a pipeline to evaluate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from swapnas_ext.scoring import Scorer


def swap_pipeline(build: Callable[..., nn.Module], scorer: Scorer) -> Callable[..., dict[str, Any]]:
    """A function for NePS to pass as ``evaluate_pipeline``. It scores the model that ``build(**config)`` makes.

    NePS minimises, so the objective is the negative score. The result's ``info_dict`` has the score, the number of
    parameters and the saturation. Where a model can't be scored, NePS handles the error (``ignore_errors``,
    ``objective_value_on_error``).

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
