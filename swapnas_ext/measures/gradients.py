"""Losses of a network and their gradients, which leave ``.grad`` alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from swapnas_ext._torch_private import CONVOLUTIONS
from swapnas_ext.measures.one_number import name_of_model
from swapnas_ext.measures.prepared_network import Arguments, Hooks, PreparedNetwork
from swapnas_ext.models import first_tensor

_LABELS = 0x1ABE1 << 40
"""The stream of random numbers for labels, which differs from that for weights."""

Pair = tuple[Tensor, Tensor]
"""A weight, without autograd, and a gradient of the same shape."""


def layer_weights(network: PreparedNetwork) -> list[Tensor]:
    """The weights of the convolutions and linear layers of torch, each tensor once.
    Layers whose weights are computed from others (weight_norm, parametrize, prune) are left out, with a note.

    Raises:
        ValueError: there is none.
    """
    found: dict[int, Tensor] = {}
    computed = 0
    for module in network.modules:
        if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
            weight = dict(module.named_parameters(recurse=False)).get("weight")
            if weight is None:
                computed += 1
            elif weight.is_floating_point():
                found[id(weight)] = weight
    if computed:
        network.note(
            f"left out of the gradients: {computed} layers whose weights are computed from others"
        )
    if not found:
        raise ValueError(
            f"{name_of_model(network)} has no convolution or linear layer of torch with a floating-point weight of "
            "its own: this measure reads the gradients of those weights, and needs one"
        )
    return list(found.values())


@contextmanager
def recording(tensors: Sequence[Tensor] = ()) -> Iterator[None]:
    """A context in which autograd records what is computed from these leaves, even if they do not ask for it."""
    asked = [tensor.requires_grad for tensor in tensors]
    with torch.enable_grad():
        try:
            for tensor in tensors:
                tensor.requires_grad_(True)
            yield
        finally:
            for tensor, before in zip(tensors, asked, strict=True):
                tensor.requires_grad_(before)


def scores_of(network: PreparedNetwork, output: object) -> Tensor:
    """The first tensor of an output.

    Raises:
        ValueError: there is none, or it has no floating-point numbers.
    """
    scores = first_tensor(output)
    if scores is None or not scores.is_floating_point():
        got = type(output).__name__ if scores is None else f"a tensor of {scores.dtype}"
        raise ValueError(
            f"{name_of_model(network)} returns {got}: this measure needs a tensor of floating-point numbers first"
        )
    return scores


class RandomLabels:
    """Cross-entropy with random labels, the same for one seed."""

    def __init__(self, network: PreparedNetwork) -> None:
        self._network = network
        self._generator = network.generator(_LABELS)

    def loss(self, output: object) -> Tensor:
        """The mean cross-entropy of an output, with new labels.

        Args:
            output: its first tensor has the scores of classes: ``[S, classes]``, ``[S, positions, classes]``, or
                ``[S, classes, ...]`` with more dimensions.

        Raises:
            ValueError: it has no scores of two classes or more.
        """
        scores = scores_of(self._network, output)
        by_class = scores.movedim(1, -1) if scores.dim() > 3 else scores
        if by_class.dim() < 2 or by_class.shape[-1] < 2 or by_class.numel() == 0:
            raise ValueError(
                f"{name_of_model(self._network)} returns a tensor of shape {list(scores.shape)}: cross-entropy needs "
                "the scores of two classes or more for each sample, [S, classes]"
            )
        rows = by_class.flatten(0, -2)
        count, classes = rows.shape
        labels = torch.randint(
            classes, (count,), generator=self._generator, device=self._network.device
        )
        wide = rows if rows.dtype == torch.float64 else rows.float()
        return F.cross_entropy(wide, labels.to(rows.device))


def gradients(
    network: PreparedNetwork, scalar: Tensor, tensors: Sequence[Tensor]
) -> list[Tensor | None]:
    """The gradients of a scalar; None for tensors that it does not depend on.

    Raises:
        ValueError: it depends on none of them, or the network changes in place what gradients need.
    """
    asked = [tensor for tensor in tensors if tensor.requires_grad]  # a network may freeze some
    found: dict[int, Tensor | None] = {}
    try:
        if scalar.requires_grad and asked:
            computed = torch.autograd.grad(scalar, asked, allow_unused=True)
            found.update(zip(map(id, asked), computed, strict=True))
    except RuntimeError as error:
        if "inplace operation" not in str(error):
            raise
        line = str(error).partition("\n")[0]
        raise ValueError(
            f"{name_of_model(network)} has no gradients, since it changes a tensor in place that they need: {line}"
        ) from error
    if all(gradient is None for gradient in found.values()):
        raise ValueError(
            f"the output of {name_of_model(network)} has no gradient: it is detached, computed without autograd, or "
            "does not depend on what this measure takes gradients of"
        )
    return [found.get(id(tensor)) for tensor in tensors]


def weight_gradients(
    network: PreparedNetwork,
    scalar: Callable[[object], Tensor],
    arguments: Arguments | None = None,
    within: Hooks = nullcontext,
) -> list[Pair]:
    """The weights of `layer_weights` with their gradients, which are zero for weights that the scalar does not depend
    on.

    Args:
        scalar: computes from the output what to take gradients of.
        arguments: of the forward pass; by default the samples.
        within: makes a context for the pass and the gradients, which may give the weights other values.

    Raises:
        ValueError: there are no such weights, or no gradients.
    """
    weights: list[Tensor] = []

    @contextmanager
    def hooks() -> Iterator[None]:
        with within():
            weights.extend(layer_weights(network))
            with recording(weights):
                yield

    with network.output(arguments, hooks=hooks) as output:
        found = gradients(network, scalar(output), weights)
        return [
            (weight.detach(), torch.zeros_like(weight) if gradient is None else gradient)
            for weight, gradient in zip(weights, found, strict=True)
        ]


def total(numbers: Sequence[Tensor]) -> float:
    """The sum of scalars on any devices."""
    return sum(map(float, numbers))
