"""Finds mu and sigma for models of a target size, or for ranking, without labels.

Sizes here are numbers of parameters of the final network (see `SearchSpace.final`). As everywhere, mu
is in thousands of parameters and sigma in squared thousands.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from swapnas_ext.scoring import regularization
from swapnas_ext.search.candidate import Candidate

_OFF_TARGET = 0.01
_SHARE_OF_SIZE = 0.25
_BETWEEN_QUARTILES = 1.349  # of a normal distribution, in standard deviations


@dataclass(frozen=True)
class Control:
    """The factor that scores are multiplied by: exp(-(Theta - mu)^2 / sigma), or 1 without mu and sigma."""

    mu: float | None = None
    sigma: float | None = None

    def __post_init__(self) -> None:
        regularization.check_mu_sigma(self.mu, self.sigma)

    def log_factor(self, parameters: int) -> float:
        """The logarithm of what the score of a network of that many parameters is multiplied by."""
        if self.mu is None or self.sigma is None:
            return 0.0
        return regularization.log_factor(parameters / 1e3, self.mu, self.sigma)

    def log_score(self, candidate: Candidate) -> float:
        """Natural logarithm of the regularised score."""
        return candidate.log_score + self.log_factor(candidate.parameters)


def for_target(
    target: float,
    log_scores: Sequence[float],
    parameters: Sequence[int],
    *,
    heavy_tails: bool = False,
) -> Control:
    """Makes a search find models of about ``target`` parameters. mu is the target. sigma is such that at 1 % of mu
    away from mu, the factor outweighs the score that a network gains by its size.

    The assumed gain by size is the standard deviation of log-scores divided by that of sizes. No slope between the
    two is steeper.

    Args:
        log_scores, parameters: those of a random sample of the space.
        heavy_tails: whether some networks score far below all others, such as those that pass no signal on. The
            standard deviation is then estimated from the quartiles.

    Raises:
        ValueError: fewer than two architectures, or all of one size.
    """
    check_target(target)
    _, size_spread, score_spread = _spreads(log_scores, parameters, heavy_tails)
    mu = target / 1e3
    gain = score_spread / size_spread
    # log-score + gain * Theta - (Theta - mu)^2 / sigma is highest at mu + gain * sigma / 2.
    # Where scores hardly grow with size, sigma is 2 mu^2, and not without bound.
    return Control(mu, 2 * _OFF_TARGET * mu / max(gain, _OFF_TARGET / mu))


def check_target(target: float) -> None:
    """Raises ValueError if a target is not a size."""
    if not (math.isfinite(target) and target > 0):
        raise ValueError(f"a target is a positive number of parameters, got {target}")


def for_ranking(
    log_scores: Sequence[float], parameters: Sequence[int], *, heavy_tails: bool = False
) -> Control:
    """Makes scores rank better if accuracy grows with size. mu is the largest size of a random sample. sigma is such
    that over the sample the logarithm of the factor varies a quarter as much as that of the score.

    Arguments and errors as for `for_target`.
    """
    sizes, _, score_spread = _spreads(log_scores, parameters, heavy_tails)
    mu = max(sizes)
    factor_spread = statistics.pstdev((size - mu) ** 2 for size in sizes)
    return Control(mu, factor_spread / (_SHARE_OF_SIZE * score_spread))


def _spreads(
    log_scores: Sequence[float], parameters: Sequence[int], heavy_tails: bool
) -> tuple[list[float], float, float]:
    """Sizes in thousands, their standard deviation, and that of the log-scores."""
    if len(log_scores) < 2:
        raise ValueError(
            f"sigma is calibrated with a sample of scored architectures, got {len(log_scores)}"
        )
    sizes = [count / 1e3 for count in parameters]
    size_spread = statistics.pstdev(sizes)
    score_spread = _from_quartiles(log_scores) if heavy_tails else statistics.pstdev(log_scores)
    if size_spread == 0 or score_spread == 0:
        same = "size" if size_spread == 0 else "score"
        raise ValueError(
            f"all {len(sizes)} architectures of the sample have one {same}: nothing to calibrate with; "
            "give mu and sigma"
        )
    return sizes, size_spread, score_spread


def _from_quartiles(values: Sequence[float]) -> float:
    """The standard deviation of a normal distribution with the quartiles of these values."""
    low, _, high = statistics.quantiles(values, n=4)
    return (high - low) / _BETWEEN_QUARTILES
