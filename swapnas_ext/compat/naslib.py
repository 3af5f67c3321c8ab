"""For NASLib: a predictor that needs no fitting, and a zero-cost measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from swapnas_ext.compat.first_images import SAMPLES, first_images
from swapnas_ext.compat.foresight import swap_measure
from swapnas_ext.compat.peer import base_class, needed
from swapnas_ext.scoring import Scorer, score

if TYPE_CHECKING:  # NASLib need not be installed
    Predictor = object
else:
    Predictor = base_class("naslib.predictors.predictor", "Predictor")


class SwapPredictor(Predictor):
    """A predictor for NASLib. Use it in place of NASLib's ``ZeroCost`` predictor.

    Args:
        scorer: has the mini-batch, the repeats and the initialisation. Without a scorer, `query` scores the first
            images of its data loader, and the graph keeps its weights.
        samples: how many images of the data loader are scored.

    Example::

        evaluator = ZeroCostPredictorEvaluator(SwapPredictor(), config=config)
    """

    method_type = "swap"
    hyperparams: Any = None

    def __init__(self, scorer: Scorer | None = None, *, samples: int = SAMPLES) -> None:
        super().__init__()
        self.scorer = scorer
        self.samples = samples

    def query(
        self,
        graph: nn.Module | Sequence[nn.Module],
        dataloader: Iterable[Any] | None = None,
        info: Any = None,
    ) -> Any:
        """The score of one graph, or an array with the scores of several. Graphs stay on their devices.

        Raises:
            ValueError: there is neither a data loader nor a scorer, or there are fewer images than ``samples``.
        """
        if not isinstance(graph, nn.Module):
            return np.array([self.query(one, dataloader, info) for one in graph])
        if self.scorer is not None:
            return float(self.scorer(graph))
        if dataloader is None:
            raise ValueError(
                "SwapPredictor has no images; pass query(graph, dataloader=...), or make the predictor with a "
                "scorer: SwapPredictor(Scorer(images))"
            )
        return float(score(graph, first_images(dataloader, self.samples)))


def register_measure(name: str = "swap", **options: Any) -> None:
    """Adds the SWAP-Score to NASLib's zero-cost measures. Then ``ZeroCost(method_type="swap")`` computes it, and
    optimisers find it by ``zc_names``.

    Args:
        options: options of `swap_measure`, such as ``samples``, ``measure``, ``init``, ``repeats`` and ``seed``.

    Raises:
        ImportError: NASLib is not installed.
        KeyError: NASLib has a measure of that name already.
    """
    measures = needed(
        "naslib.predictors.utils.pruners.measures",
        "register_measure needs NASLib; install it from its repository: "
        "pip install git+https://github.com/automl/NASLib",
    )
    measures.measure(name, copy_net=False, **options)(swap_measure)


__all__ = ["SwapPredictor", "register_measure"]
