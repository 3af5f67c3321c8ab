"""NASLib: a predictor that needs no fitting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from swapnas_ext.scoring import Scorer, score


class SwapPredictor:
    """Used as NASLib's ``ZeroCost`` predictor is.

    Args:
        scorer: gives mini-batch, repeats and initialisation. Without one, `query` takes the mini-batch of
            its data loader, and the weights as they are.
    """

    def __init__(self, scorer: Scorer | None = None) -> None:
        self.scorer = scorer

    def pre_process(self) -> None: ...

    def fit(self, xtrain: Any, ytrain: Any, train_info: Any = None, **_: Any) -> None: ...

    def query(
        self, xtest: nn.Module | Sequence[nn.Module], dataloader: Any = None, info: Any = None
    ) -> Any:
        """The score of one graph, or an array of those of several."""
        if not isinstance(xtest, nn.Module):
            return np.array([float(self.query(graph, dataloader, info)) for graph in xtest])
        if self.scorer is not None:
            return float(self.scorer(xtest))
        if dataloader is None:
            raise ValueError("pass a dataloader to query, or a Scorer to SwapPredictor")
        return float(score(xtest, dataloader))
