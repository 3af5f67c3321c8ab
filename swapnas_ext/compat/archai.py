"""archai: a model evaluator."""

from __future__ import annotations

from typing import Any

from swapnas_ext.scoring import Scorer


class SwapEvaluator:
    """Evaluates an ``ArchaiModel`` by its SWAP-Score; more is better.

    ``SearchObjectives`` takes ``EvaluationFunction(SwapEvaluator(scorer).evaluate)``, archai's wrapper for
    functions.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def evaluate(self, arch: Any, budget: float | None = None) -> float:
        """The score of ``arch.arch``; ``budget`` is not used, since nothing is trained."""
        return float(self.scorer(arch.arch))
