"""Tells how well scores rank: correlates them with the accuracies of a benchmark table.

::

    space = swap.spaces.get("nasbench201")
    table = read_table("nasbench201.csv", space)
    scorer = swap.Scorer(space.inputs(16, "cifar10.npz"), init="gaussian")
    architectures = [row.architecture for row in table.rows]
    scores = swap.search.score_listed(space, scorer, architectures, workers=2, history="run.db")
    for ranking in correlate(table, space, scores).rankings:
        print(ranking.name, ranking.rho)
"""

from __future__ import annotations

from swapnas_ext.correlation import analysis
from swapnas_ext.correlation.accuracy_table import AccuracyTable, read_table, tell_faults
from swapnas_ext.correlation.agreement import Agreement, agreement
from swapnas_ext.correlation.analysis import OperationEffect, Repeatability, Saturation, ScoredRun
from swapnas_ext.correlation.caveats import Standing, caveats
from swapnas_ext.correlation.comparisons import Comparison, compare
from swapnas_ext.correlation.correlations import Correlations, correlate
from swapnas_ext.correlation.ranking import Chosen, Coefficient, Ranking, check_scipy, rank

__all__ = [
    "AccuracyTable",
    "Agreement",
    "Chosen",
    "Coefficient",
    "Comparison",
    "Correlations",
    "OperationEffect",
    "Ranking",
    "Repeatability",
    "Saturation",
    "ScoredRun",
    "Standing",
    "agreement",
    "analysis",
    "caveats",
    "check_scipy",
    "compare",
    "correlate",
    "rank",
    "read_table",
    "tell_faults",
]
