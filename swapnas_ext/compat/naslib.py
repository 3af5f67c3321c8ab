"""NASLib: a predictor that needs no fitting, and a zero-cost measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from torch import nn

from swapnas_ext.compat.first_images import SAMPLES, first_images
from swapnas_ext.compat.foresight import swap_measure
from swapnas_ext.compat.peer import base_class
from swapnas_ext.scoring import Scorer, score

Predictor: Any = base_class("naslib.predictors.predictor", "Predictor")


class SwapPredictor(Predictor):
    """A ``Predictor`` of NASLib, used where its ``ZeroCost`` predictor is.

    Args:
        scorer: gives mini-batch, repeats and initialisation. Without one, `query` takes the first images
            of its data loader, and the weights as they are.
        samples: how many images that are.

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
        """The score of one graph, or an array of those of several, each where it is.

        Raises:
            ValueError: neither a data loader nor a scorer, or fewer images than ``samples``.
        """
        if not isinstance(graph, nn.Module):
            return np.array([self.query(one, dataloader, info) for one in graph])
        if self.scorer is not None:
            return float(self.scorer(graph))
        if dataloader is None:
            raise ValueError(
                "SwapPredictor has no images; pass query(graph, dataloader=...), or make it with a "
                "scorer: SwapPredictor(Scorer(images))"
            )
        return float(score(graph, first_images(dataloader, self.samples)))


def register_measure(name: str = "swap", **options: Any) -> None:
    """Makes the SWAP-Score one of NASLib's zero-cost measures, so that ``ZeroCost(method_type="swap")``, and
    with it ``zc_names`` of its optimisers, have it.

    Args:
        options: of `swap_measure`: ``samples``, ``measure``, ``init``, ``repeats``, ``seed``.

    Raises:
        ImportError: NASLib is not installed.
        KeyError: NASLib has a measure of that name already.
    """
    try:
        from naslib.predictors.utils.pruners.measures import measure
    except ImportError as error:
        raise ImportError(
            "register_measure needs NASLib; install it from its repository: "
            "pip install git+https://github.com/automl/NASLib"
        ) from error
    measure(name, copy_net=False, **options)(swap_measure)
