"""How differently a network responds to its samples: the correlations between their input gradients.

Source: Mellor et al., arXiv 2006.04647v1; as jacob_cov in Abdelfattah et al., ICLR 2021, arXiv 2101.08134.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from swapnas_ext.measures.gradients import gradients, recording, scores_of
from swapnas_ext.measures.one_number import OfLogarithms, finite, name_of_model
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.measures.registry import register

_K = 1e-5


@register
class Jacov(OfLogarithms):
    """``-sum(log(v + k) + 1 / (v + k))`` with k = 1e-5, over the eigenvalues v of the correlation matrix ``[S, S]``
    between the rows J_i: the gradient of the sum of the outputs with respect to sample i, flattened. The published
    networks had the weights that they are built with.

    Raises (when read):
        ValueError: a single sample, samples of integers or of several shapes, no gradient, or a gradient that is the
            same at all places of a sample, which correlates with nothing.
    """

    name = "jacov"
    title = "jacov"
    description = "correlations between the gradients of samples"
    default_init = "keep"

    def read(self, network: PreparedNetwork) -> float:
        eigenvalues = torch.linalg.eigvalsh(_correlations(_jacobian(network), network))
        return finite(_score(eigenvalues), "jacov", network)

    def details(self, readings: Sequence[float]) -> Mapping[str, Any]:
        # Each sample whose gradient follows from those of others adds -1e5.
        return {**super().details(readings), "heavy_tails": True}


def _score(eigenvalues: Tensor) -> float:
    shifted = eigenvalues + _K
    return -float((shifted.log() + 1 / shifted).sum())


def _jacobian(network: PreparedNetwork) -> Tensor:
    """J, ``[S, elements of a sample]``."""
    samples = network.samples
    if samples < 2:
        raise ValueError(
            f"jacov compares samples with each other: {samples} sample was given, and two or more are needed"
        )
    leaves: list[Tensor] = []

    def leaf(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            raise ValueError(
                f"the samples are {tensor.dtype}, which has no gradients: jacov needs floating-point samples, such as "
                "images"
            )
        leaves.append(tensor.clone().requires_grad_())
        return leaves[-1].clone()  # a network may write to this one

    with torch.enable_grad():
        arguments = network.varied(leaf)
    with network.output(arguments, hooks=recording) as output:
        found = gradients(network, scores_of(network, output).sum(), leaves)
    rows = [
        torch.zeros_like(x) if gradient is None else gradient
        for x, gradient in zip(leaves, found, strict=True)
    ]
    shapes = {row.shape for row in rows}
    together = torch.stack(rows) if len(shapes) == 1 < len(rows) else rows[0]
    if len(together) % samples or (len(rows) > 1 and len(rows) != samples):
        raise ValueError(
            f"{samples} samples have input tensors of the shapes {sorted(map(list, shapes))}: jacov needs the same "
            "number of elements of each sample"
        )
    return together.reshape(samples, -1).double()


def _correlations(rows: Tensor, network: PreparedNetwork) -> Tensor:
    centred = rows - rows.mean(1, keepdim=True)
    norms = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
    if not bool(((norms > 0) & norms.isfinite()).all()):
        raise ValueError(
            f"a sample of {name_of_model(network)} has a gradient without variation, or one that is not finite: jacov "
            "needs gradients that vary within each sample"
        )
    unit: Tensor = centred / norms
    return unit @ unit.T
