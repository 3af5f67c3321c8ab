"""The score of one model."""

from __future__ import annotations

from swapnas_ext.scoring import regularization
from swapnas_ext.scoring.options import MEASURES
from swapnas_ext.scoring.scorer import Scorer, score
from swapnas_ext.scoring.swap_score import SATURATED, Composite, ScoreWarning, SwapScore, mixed_text

__all__ = [
    "MEASURES",
    "SATURATED",
    "Composite",
    "ScoreWarning",
    "Scorer",
    "SwapScore",
    "mixed_text",
    "regularization",
    "score",
]
