"""Regularisation by size: the public name of `scoring.regularization`."""

from __future__ import annotations

from swapnas_ext.scoring.regularization import (
    check_mu_sigma,
    factor,
    log_factor,
    parameters_in_thousands,
)

__all__ = ["check_mu_sigma", "factor", "log_factor", "parameters_in_thousands"]
