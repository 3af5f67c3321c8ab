"""Says whether one predictor ranks accuracies better than another, on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from swapnas_ext.correlation.ranking import Coefficient, bootstrap, spearman


@dataclass(frozen=True)
class Comparison:
    """Two predictors on the rows that have a value of both.

    Attributes:
        name, other: their names.
        rows: how many rows have both.
        difference: Spearman's rho of the first minus that of the other, with its bootstrap 95 % interval over resamples
            of the rows, the same for both.
    """

    name: str
    other: str
    rows: int
    difference: Coefficient

    @property
    def verdict(self) -> str:
        """What the interval says."""
        if self.difference.low > 0:
            return f"ranks better than {self.other} here"
        if self.difference.high < 0:
            return f"ranks worse than {self.other} here"
        return f"no evidence that it ranks better or worse than {self.other} here"


def compare(
    name: str,
    other: str,
    values: Mapping[str, Sequence[float]],
    accuracies: Sequence[float],
    seed: int,
) -> Comparison | None:
    """Compares two of the predictors. None where they share fewer than three rows, or one of them is constant there.

    Raises:
        ImportError: SciPy is not installed.
    """
    x, y, z = (
        np.asarray(found, dtype=float) for found in (values[name], values[other], accuracies)
    )
    known = np.isfinite(x) & np.isfinite(y)
    x, y, z = x[known], y[known], z[known]
    value = spearman(x, z) - spearman(y, z)
    if np.isnan(value):
        return None
    low, high = bootstrap((x, y, z), lambda a, b, c: spearman(a, c) - spearman(b, c), seed)
    return Comparison(name, other, len(x), Coefficient(value, low, high))
