"""For NNI: a function for ``nni.nas.evaluator.FunctionalEvaluator``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from torch import nn

from swapnas_ext.compat.peer import needed
from swapnas_ext.scoring import Scorer


def swap_evaluator(model: nn.Module, scorer: Scorer | Callable[[], Scorer]) -> float:
    """Scores a model, reports the score as NNI's final result, and returns it.

    NNI's default engine runs each trial in a process of its own, and sends at most 64 KiB to it. A scorer is larger,
    since it has a mini-batch. So pass a function that makes the scorer. Of a function that can be imported, NNI sends
    only the name, and each process calls the function once.

    Args:
        scorer: a function without arguments that makes a `Scorer`. For the sequential engine, it may be a scorer.

    Raises:
        ImportError: NNI is not installed.
        TypeError: ``scorer`` is something else, or makes something else.

    Example::

        # scorers.py
        def make_scorer():
            return swap.Scorer(swap.data.photograph(), init="gaussian", repeats=4)

        # search.py
        FunctionalEvaluator(swap_evaluator, scorer=scorers.make_scorer)
    """
    nni = needed("nni", "swap_evaluator reports to NNI; run: pip install nni")
    value = float(_scorer(scorer)(model))
    nni.report_final_result(value)
    return value


def _scorer(given: Scorer | Callable[[], Scorer]) -> Scorer:
    if isinstance(given, Scorer):
        return given
    if not callable(given):
        raise TypeError(
            "scorer must be a Scorer, or a function without arguments that makes one, got "
            f"{type(given).__name__}"
        )
    return _made(given)


@cache
def _made(make: Callable[[], Scorer]) -> Scorer:
    scorer = make()
    if not isinstance(scorer, Scorer):
        raise TypeError(f"{make!r} must make a Scorer, got {type(scorer).__name__}")
    return scorer


__all__ = ["swap_evaluator"]
