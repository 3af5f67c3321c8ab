"""How well scores rank: their correlation with a table of accuracies.

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

from swapnas_ext.correlation.ranking import Ranking
from swapnas_ext.correlation.result import Correlations, correlate
from swapnas_ext.correlation.table import AccuracyTable, read_table

__all__ = ["AccuracyTable", "Correlations", "Ranking", "correlate", "read_table"]
