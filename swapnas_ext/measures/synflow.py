"""SynFlow: how much of a signal of ones each weight passes on, without data.

Source: Tanaka et al., NeurIPS 2020, arXiv 2006.05467; as a score of networks in Abdelfattah et al., ICLR 2021,
arXiv 2101.08134.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import BATCH_NORMS
from swapnas_ext.measures.gradients import scores_of, total, weight_gradients
from swapnas_ext.measures.one_number import OneNumber, logarithm, name_of_model
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.measures.registry import register
from swapnas_ext.models import mapped


@register
class Synflow(OneNumber):
    """Log of the sum of ``|w * dR/dw|`` over the weights w of convolutions and linear layers, where R is the sum of the
    outputs for one sample of ones. All parameters, biases too, have their absolute values, batch normalisation passes
    on its input (other normalisation stays), and everything runs in double precision, without autocast. The published
    networks had the weights that they are built with.

    Raises (when read):
        ValueError: a model of integers such as tokens, no such layer, no gradient, or a sum of zero or infinity.
    """

    name = "synflow"
    title = "SynFlow"
    description = "weights times their gradients, on ones, without data"
    default_init = "keep"

    def read(self, network: PreparedNetwork) -> float:
        def ones(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point():
                raise ValueError(
                    f"{name_of_model(network)} takes {tensor.dtype}, such as tokens: SynFlow sends ones through a "
                    "network, and needs one that takes floating-point numbers, such as images"
                )
            return torch.ones_like(tensor)

        arguments = mapped(network.varied(ones, range(1)), _doubled)
        try:
            pairs = weight_gradients(
                network,
                lambda output: scores_of(network, output).sum(),
                arguments,
                partial(_linear, network),
            )
        except RuntimeError as error:
            if not any(word in str(error).lower() for word in ("dtype", "double")):
                raise
            raise ValueError(
                f"{name_of_model(network)} can't run in double precision, which SynFlow needs: {error}"
            ) from error
        return logarithm(
            total([(weight * gradient).abs().sum() for weight, gradient in pairs]),
            "SynFlow",
            network,
        )


def _tensors_of(network: PreparedNetwork) -> list[Tensor]:
    """Parameters and buffers, also those of TorchScript and of modules that are no children."""
    tensors: list[Tensor] = []
    for module in (network.model, *network.modules):
        tensors += [*module.parameters(), *module.buffers()]
    return list({id(tensor): tensor for tensor in tensors}.values())


def _doubled(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


@contextmanager
def _linear(network: PreparedNetwork) -> Iterator[None]:
    """A context in which a network has the absolute values of its parameters, in double precision, and its batch
    normalisation passes on what it gets."""
    with ExitStack() as stack:
        for tensor in _tensors_of(network):
            if tensor.is_floating_point():
                values = tensor.data.double()
                _give(stack, tensor, values.abs() if isinstance(tensor, nn.Parameter) else values)
        for module in network.modules:
            if isinstance(module, BATCH_NORMS):
                _pass_on(stack, module, network.device)
        stack.enter_context(torch.autocast(network.device.type, enabled=False))
        yield


def _pass_on(stack: ExitStack, norm: Any, device: torch.device) -> None:
    """Makes a batch normalisation the identity: by its numbers, since those of some libraries also have an activation
    in their forward."""
    stack.callback(norm.train, norm.training)
    norm.eval()
    zeros = torch.zeros(norm.num_features, dtype=torch.float64, device=device)
    values = {
        "running_mean": zeros,
        "running_var": zeros + (1 - norm.eps),
        "weight": zeros + 1,
        "bias": zeros,
    }
    for name, value in values.items():
        tensor = getattr(norm, name)
        if tensor is not None:
            _give(stack, tensor, value.to(tensor.device))
        elif name.startswith("running"):
            stack.callback(setattr, norm, name, None)
            setattr(norm, name, value)


def _give(stack: ExitStack, tensor: Tensor, values: Tensor) -> None:
    """Lets a tensor have other values, until the end of the context."""
    stack.callback(setattr, tensor, "data", tensor.data)
    tensor.data = values
