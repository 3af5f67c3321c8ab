"""NWOT, neural architecture search without training: how differently a network's neurons respond to the samples.

Source: Mellor et al., ICML 2021, arXiv 2006.04647, from packed bits instead of float matrices.
"""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from swapnas_ext.measures.measure import BeginsOnSamples
from swapnas_ext.measures.on_samples import OnSamples
from swapnas_ext.measures.one_number import OfLogarithms, name_of_model
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.measures.registry import register
from swapnas_ext.patterns import Agreements


@register
class Nwot(OfLogarithms, BeginsOnSamples[float]):
    """``log |K|``, where ``K[s, t]`` is the number of neurons on which samples s and t agree: both are positive, or
    neither is.

    Equivalent to::

        codes = (activations.reshape(samples, -1) > 0).double()  # of all layers
        torch.logdet(codes @ codes.T + (1 - codes) @ (1 - codes).T)
    """

    name = "nwot"
    title = "NWOT"
    description = "log-determinant of the agreements between samples (Mellor et al. 2021)"
    default_init = "keep"

    def on_samples(self, network: PreparedNetwork, stack: ExitStack) -> OnSamples:
        agreements = Agreements(network.samples, device=network.device)
        return OnSamples(agreements, finish=lambda: _log_determinant(agreements, network))


def _log_determinant(agreements: Agreements, network: PreparedNetwork) -> float:
    sign, log_determinant = np.linalg.slogdet(agreements.matrix.double().cpu().numpy())
    if sign <= 0 or not np.isfinite(log_determinant):
        raise ValueError(
            f"NWOT of {name_of_model(network)} is not defined: no neuron distinguishes two of the samples, "
            "so the determinant is 0; give samples that differ"
        )
    return float(log_determinant)
