"""How often chance ranks as well."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from swapnas_ext.validation.chance import p_value


@pytest.mark.parametrize(
    "accuracies", [[1, 2, 3, 4, 5], [2, 1, 3, 5, 4], [5, 4, 3, 1, 2], [1, 1, 3, 3, 5]]
)
def test_as_over_all_pairings(accuracies: list[float]) -> None:
    values = [10.0, 20.0, 30.0, 40.0, 50.0]
    rho = abs(stats.spearmanr(values, accuracies).statistic)
    rhos = [
        stats.spearmanr(values, pairing).statistic for pairing in itertools.permutations(accuracies)
    ]
    exact = np.mean([abs(other) >= rho - 1e-9 for other in rhos])
    assert p_value(values, accuracies, 0) == pytest.approx(exact, abs=0.02)


def test_where_there_is_no_rho() -> None:
    assert math.isnan(p_value([1.0, 2.0], [1.0, 2.0], 0))
    assert math.isnan(p_value([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], 0))
