"""The norm of the gradients.

Source: Abdelfattah et al., ICLR 2021, arXiv 2101.08134, section 3.1.
"""

from __future__ import annotations

import torch

from swapnas_ext.measures.gradients import RandomLabels, total, weight_gradients
from swapnas_ext.measures.one_number import OneNumber, logarithm
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.measures.registry import register


@register
class GradNorm(OneNumber):
    """Log of the sum of the L2 norms of the gradients of cross-entropy, over the weights of convolutions and linear
    layers. The labels of the samples are random. The published networks had the weights that they are built with.

    Raises (when read):
        ValueError: no such layer, no gradient, no scores of two classes, or a sum of zero or infinity.
    """

    name = "grad_norm"
    title = "grad_norm"
    description = "norms of the gradients of weights, with random labels"
    default_init = "keep"

    def read(self, network: PreparedNetwork) -> float:
        pairs = weight_gradients(network, RandomLabels(network).loss)
        norms = [torch.linalg.vector_norm(gradient.double()) for _, gradient in pairs]
        return logarithm(total(norms), "the norm of the gradients", network)
