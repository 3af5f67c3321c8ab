"""SWAP-NAS: searches a space for architectures with high SWAP-Scores.

::

    space = swap.spaces.get("darts")
    scorer = swap.Scorer(space.inputs(16), init="gaussian")
    result = swap.search.evolve(space, scorer, population=64, cycles=200, workers=2)
    print(result.best.score, result.best.architecture)
"""

from __future__ import annotations

from swapnas_ext.search.candidate import Candidate, Outcome
from swapnas_ext.search.driver import Progress
from swapnas_ext.search.history import History, HistoryError
from swapnas_ext.search.listing import score_listed
from swapnas_ext.search.ray_workers import RayCluster
from swapnas_ext.search.result import Ranked, SearchResult
from swapnas_ext.search.run import calibrate, evolve, search
from swapnas_ext.search.settings import SearchSettings
from swapnas_ext.search.size_control import Control

__all__ = [
    "Candidate",
    "Control",
    "History",
    "HistoryError",
    "Outcome",
    "Progress",
    "Ranked",
    "RayCluster",
    "SearchResult",
    "SearchSettings",
    "calibrate",
    "evolve",
    "score_listed",
    "search",
]
