"""Compares runs: settings that differ, curves, fronts, the overlap of their best, and cost."""

from __future__ import annotations

from swapnas_ext.search.comparison.best_so_far import BestSoFar
from swapnas_ext.search.comparison.compare import compare
from swapnas_ext.search.comparison.comparison import ComparedRun, Comparison
from swapnas_ext.search.comparison.joint_front import FrontPoint, JointFront
from swapnas_ext.search.comparison.repeats import Repeats, ScoreRange

__all__ = [
    "BestSoFar",
    "ComparedRun",
    "Comparison",
    "FrontPoint",
    "JointFront",
    "Repeats",
    "ScoreRange",
    "compare",
]
