"""Model-size control: the regularised SWAP-Score of Peng et al., ICLR 2024, equations 6 and 7.

Theta and mu are in **thousands of parameters**, the unit of the published code, and sigma, which is
not squared, in squared thousands: published values of mu and sigma can be used as they are.
"""

from __future__ import annotations

import math

from torch import nn


def parameters_in_thousands(model: nn.Module) -> float:
    """Theta: the parameters of a model / 1000, without those of auxiliary heads, as published.

    Equivalent to::

        sum(p.numel() for name, p in model.named_parameters() if "auxiliary" not in name) / 1e3
    """
    parameters = (p.numel() for name, p in model.named_parameters() if "auxiliary" not in name)
    return sum(parameters) / 1e3


def log_factor(theta: float, mu: float, sigma: float) -> float:
    """-(Theta - mu)^2 / sigma; sigma is not squared. Units as above."""
    return -((theta - mu) ** 2) / sigma


def factor(theta: float, mu: float, sigma: float) -> float:
    """exp(-(Theta - mu)^2 / sigma), what the SWAP-Score is multiplied by; 0 where it underflows."""
    return math.exp(log_factor(theta, mu, sigma))


def check_mu_sigma(mu: float | None, sigma: float | None) -> None:
    """Raises ValueError unless both are given, finite and sigma > 0, or neither is given."""
    if mu is None and sigma is None:
        return
    if mu is None or sigma is None:
        raise ValueError(f"mu and sigma go together, got mu={mu} and sigma={sigma}")
    if not math.isfinite(mu) or not math.isfinite(sigma) or sigma <= 0:
        raise ValueError(
            f"mu must be finite and sigma positive (thousands of parameters), got mu={mu}, "
            f"sigma={sigma}"
        )
