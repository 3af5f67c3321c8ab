"""ZiCo: how large gradients are against their spread over batches.

Source: Li et al., ICLR 2023, arXiv 2301.11300.
"""

from __future__ import annotations

import math

import torch

from swapnas_ext.measures.gradients import RandomLabels, weight_gradients
from swapnas_ext.measures.one_number import OfLogarithms, finite, name_of_model
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.measures.registry import register


@register
class Zico(OfLogarithms):
    """The sum over convolutions and linear layers of ``log(sum_w mean|g_w| / std(g_w))``, where g_w is the gradient of
    cross-entropy for a weight, and mean and (population) standard deviation are over two batches: the halves of the
    mini-batch. The labels of the samples are random.

    Weights without spread are left out, and so are layers without others, as in the published code. The published
    networks had the weights that they are built with.

    Raises (when read):
        ValueError: a single sample, no such layer, no gradient, no scores of two classes, or no weight with a spread.
    """

    name = "zico"
    title = "ZiCo"
    description = "gradients of weights against their spread over two batches, with random labels"
    default_init = "keep"

    def read(self, network: PreparedNetwork) -> float:
        samples = network.samples
        if samples < 2:
            raise ValueError(
                f"ZiCo compares the gradients of two batches, the halves of the samples: {samples} sample was given, "
                "and two or more are needed"
            )
        labels = RandomLabels(network)
        halves = [
            weight_gradients(network, labels.loss, network.varied(torch.clone, half))
            for half in (range(samples // 2), range(samples // 2, samples))
        ]
        ratios = [
            _ratio(torch.stack([one.double(), other.double()]))
            for (_, one), (_, other) in zip(*halves, strict=True)
        ]
        known = [ratio for ratio in ratios if ratio != 0]
        if not known:
            raise ValueError(
                f"no gradient of {name_of_model(network)} differs between the two halves of the samples: ZiCo needs "
                "gradients with a spread"
            )
        if not all(map(math.isfinite, known)):
            return finite(math.nan, "ZiCo", network)
        return sum(map(math.log, known))


def _ratio(gradients: torch.Tensor) -> float:
    """The sum over weights; 0 where none has a spread.

    Args:
        gradients: ``[batches, ...]``.
    """
    size, spread = gradients.abs().mean(0), gradients.std(0, correction=0)
    varies = spread != 0  # also where it is not a number
    return float((size[varies] / spread[varies]).sum())
