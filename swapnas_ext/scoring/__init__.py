"""Scores one model: the scorer, its options, the repeats, and regularisation by size."""

from __future__ import annotations

from swapnas_ext.scoring import regularization
from swapnas_ext.scoring.options import ScoringOptions
from swapnas_ext.scoring.scorer import Scorer, score
from swapnas_ext.scoring.seeded_builds import SeededBuilds
from swapnas_ext.scoring.swap_score import ScoreWarning, SwapScore, mixed_text
from swapnas_ext.scoring.turns import one_at_a_time

__all__ = [
    "ScoreWarning",
    "Scorer",
    "ScoringOptions",
    "SeededBuilds",
    "SwapScore",
    "mixed_text",
    "one_at_a_time",
    "regularization",
    "score",
]
