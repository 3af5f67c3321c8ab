"""archai: a model evaluator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swapnas_ext.compat.peer import base_class
from swapnas_ext.scoring import Scorer

ModelEvaluator: Any = base_class("archai.discrete_search.api.model_evaluator", "ModelEvaluator")


def _overriding(method: Callable[..., Any]) -> Callable[..., Any]:
    """As ``overrides``, which archai's classes demand of those derived from them."""
    method.__override__ = True  # type: ignore[attr-defined]
    return method


class SwapEvaluator(ModelEvaluator):
    """A ``ModelEvaluator`` of archai: the SWAP-Score of an ``ArchaiModel``; more is better.

    Nothing is trained, so the objective is a cheap one: without ``compute_intensive=False`` archai would
    estimate it with a surrogate model::

        objectives.add_objective(
            "SWAP", SwapEvaluator(scorer), higher_is_better=True, compute_intensive=False
        )
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    @_overriding
    def evaluate(self, arch: Any, budget: float | None = None) -> float:
        """The score of ``arch.arch``; ``budget`` is not used."""
        return float(self.scorer(arch.arch))
