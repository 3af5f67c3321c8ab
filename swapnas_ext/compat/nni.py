"""NNI: a function for ``nni.nas.evaluator.FunctionalEvaluator``."""

from __future__ import annotations

from torch import nn

from swapnas_ext.scoring import Scorer


def swap_evaluator(model: nn.Module, scorer: Scorer) -> float:
    """Scores a model, reports the score as NNI's final result, and returns it::

        FunctionalEvaluator(swap_evaluator, scorer=scorer)

    Raises:
        ImportError: NNI is not installed.
    """
    try:
        import nni
    except ImportError as error:
        raise ImportError("swap_evaluator reports to NNI; run: pip install nni") from error
    value = float(scorer(model))
    nni.report_final_result(value)
    return value
