"""For Ray Tune: a trainable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from swapnas_ext.compat.peer import needed
from swapnas_ext.scoring import Scorer


def swap_trainable(
    build: Callable[[dict[str, Any]], nn.Module], scorer: Scorer
) -> Callable[[dict[str, Any]], dict[str, float]]:
    """A function trainable. Its result is the score of the model that ``build(config)`` makes.

    Raises:
        ImportError: Ray is not installed, or something that Tune needs is not.

    Example::

        config = TuneConfig(metric="swap", mode="max")
        Tuner(swap_trainable(build, scorer), param_space=space, tune_config=config).fit()
    """
    needed("ray.tune", "swap_trainable needs Ray Tune; run: pip install 'ray[tune]'")

    def trainable(config: dict[str, Any]) -> dict[str, float]:
        score = scorer(build(config))
        return {
            "swap": float(score),
            "parameters": score.parameters,
            "saturation": score.saturation,
        }

    return trainable


__all__ = ["swap_trainable"]
