"""The saliency of SNIP.

Source: Abdelfattah et al., ICLR 2021, arXiv 2101.08134, after Lee et al., ICLR 2019, arXiv 1810.02340.
"""

from __future__ import annotations

from swapnas_ext.measures.gradients import RandomLabels, total, weight_gradients
from swapnas_ext.measures.one_number import OneNumber, logarithm
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.measures.registry import register


@register
class Snip(OneNumber):
    """Log of the sum of ``|w * g|`` over the weights w of convolutions and linear layers, where g is the gradient of
    cross-entropy. The labels of the samples are random. The published networks had the weights that they are built
    with.

    Raises (when read):
        ValueError: no such layer, no gradient, no scores of two classes, or a sum of zero or infinity.
    """

    name = "snip"
    title = "SNIP"
    description = "weights times their gradients, with random labels"
    default_init = "keep"

    def read(self, network: PreparedNetwork) -> float:
        pairs = weight_gradients(network, RandomLabels(network).loss)
        saliencies = [
            (weight.double() * gradient.double()).abs().sum() for weight, gradient in pairs
        ]
        return logarithm(total(saliencies), "the saliency", network)
