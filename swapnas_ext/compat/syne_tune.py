"""Syne Tune: the report of a trial."""

from __future__ import annotations

from torch import nn

from swapnas_ext.scoring import Scorer, SwapScore


def report_swap(model: nn.Module, scorer: Scorer) -> SwapScore:
    """Scores a model and reports ``swap``, ``parameters`` and ``saturation`` to Syne Tune, from its training
    script or tuned function. The scheduler's metric is ``swap``, to be maximised.

    Raises:
        ImportError: Syne Tune is not installed.

    Example::

        report_swap(build(args.width), scorer)
    """
    try:
        from syne_tune import Reporter
    except ImportError as error:
        raise ImportError("report_swap reports to Syne Tune; run: pip install syne-tune") from error
    score = scorer(model)
    Reporter()(swap=float(score), parameters=score.parameters, saturation=score.saturation)
    return score
