"""For archai: a model evaluator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from swapnas_ext.compat.peer import base_class
from swapnas_ext.scoring import Scorer

if TYPE_CHECKING:  # archai need not be installed
    ModelEvaluator = object
else:
    ModelEvaluator = base_class("archai.discrete_search.api.model_evaluator", "ModelEvaluator")

Method = TypeVar("Method", bound=Callable[..., Any])


def _overriding(method: Method) -> Method:
    """Marks a method as the decorator ``overrides`` does. Classes derived from archai's must mark theirs."""
    method.__override__ = True  # type: ignore[attr-defined]  # what the decorator sets
    return method


class SwapEvaluator(ModelEvaluator):
    """An evaluator for archai: gives the SWAP-Score of an ``ArchaiModel``. Higher is better.

    Nothing is trained, so the objective is cheap. Say so with ``compute_intensive=False``; otherwise archai estimates
    the score with a surrogate model::

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


__all__ = ["SwapEvaluator"]
