"""Gives a network as many outputs as there are classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _WithClassifier(nn.Module):
    """A network, and a linear layer on its outputs."""

    def __init__(self, network: nn.Module, outputs: int, classes: int) -> None:
        super().__init__()
        self.network = network
        self.classifier = nn.Linear(outputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(logits_of(self.network(x)))
        return logits


def logits_of(outputs: Any) -> Tensor:
    """The first matrix of a network's outputs: auxiliary logits come later.

    Raises:
        TypeError: there is none.
    """
    found = outputs if isinstance(outputs, tuple | list) else (outputs,)
    for output in found:
        if isinstance(output, Tensor) and output.dim() == 2:
            return output
    shapes = [
        list(value.shape) if isinstance(value, Tensor) else type(value).__name__ for value in found
    ]
    raise TypeError(f"the network's outputs are {shapes}: expected logits [images, classes]")


def with_classes(network: nn.Module, images: Tensor, classes: int) -> nn.Module:
    """The network with ``classes`` outputs.

    If it has another number, the linear layer that computes them is replaced by a new one; if no linear layer does, a
    new one follows the network. New layers have PyTorch's initial weights.

    Args:
        images: two or more, for a forward pass that finds the layer.
    """
    computed: list[tuple[nn.Linear, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda layer, _, output: computed.append((layer, output)))
        for module in network.modules()
        if isinstance(module, nn.Linear)
    ]
    training = network.training
    try:
        with torch.no_grad():
            logits = logits_of(network.eval()(images))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    if logits.shape[1] == classes:
        return network
    for layer, output in computed:
        if output is logits:
            return _replaced(network, layer, classes)
    return _WithClassifier(network, logits.shape[1], classes).to(logits.device)


def _replaced(network: nn.Module, layer: nn.Linear, classes: int) -> nn.Module:
    new = nn.Linear(layer.in_features, classes, bias=layer.bias is not None).to(layer.weight.device)
    if layer is network:
        return new
    for module in network.modules():
        for name, child in list(module.named_children()):
            if child is layer:
                setattr(module, name, new)
    return network
