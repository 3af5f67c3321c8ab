"""For Syne Tune: the report of a trial."""

from __future__ import annotations

from torch import nn

from swapnas_ext.compat.peer import needed
from swapnas_ext.scoring import Scorer, SwapScore


def report_swap(model: nn.Module, scorer: Scorer) -> SwapScore:
    """Scores a model, and reports ``swap``, ``parameters`` and ``saturation`` to Syne Tune.

    Call it in the training script or the tuned function. Let the scheduler maximise the metric ``swap``.

    Raises:
        ImportError: Syne Tune is not installed.

    Example::

        report_swap(build(args.width), scorer)
    """
    syne_tune = needed("syne_tune", "report_swap reports to Syne Tune; run: pip install syne-tune")
    score = scorer(model)
    syne_tune.Reporter()(
        swap=float(score), parameters=score.parameters, saturation=score.saturation
    )
    return score


__all__ = ["report_swap"]
