"""The measures that others compare with, each from its formula in plain PyTorch and NumPy."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

LABELS, NOISE = 0x1ABE1 << 40, 0x2E4 << 40
"""The streams of random numbers for labels and noise."""


def scoring_mode(model: nn.Module) -> nn.Module:
    """A copy without dropout, whose batch normalisation uses the statistics of the mini-batch."""
    model = copy.deepcopy(model).eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()
    return model


def layers_of(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def labels(count: int, classes: int, generator: torch.Generator) -> Tensor:
    return torch.randint(classes, (count,), generator=generator)


def cross_entropy(scores: Tensor, wanted: Tensor) -> Tensor:
    return -scores.log_softmax(1)[torch.arange(len(scores)), wanted].mean()


def jacov(model: nn.Module, images: Tensor, seed: int) -> float:
    model = scoring_mode(model)
    x = images.clone().requires_grad_()
    model(x.clone()).backward(torch.ones_like(model(x.clone())))
    assert x.grad is not None
    correlations = np.corrcoef(x.grad.flatten(1).numpy())
    values, _ = np.linalg.eig(correlations)
    k = 1e-5
    return -float(np.sum(np.log(values.real + k) + 1.0 / (values.real + k)))


def grad_norm(model: nn.Module, images: Tensor, seed: int) -> float:
    model = scoring_mode(model)
    scores = model(images)
    generator = torch.Generator().manual_seed(seed + LABELS)
    cross_entropy(scores, labels(len(scores), scores.shape[1], generator)).backward()
    norms = [layer.weight.grad.norm(2) for layer in layers_of(model)]
    return math.log(sum(float(norm) for norm in norms))


def snip(model: nn.Module, images: Tensor, seed: int) -> float:
    """As published: by the gradients of masks of ones that multiply the weights."""
    model = scoring_mode(model)
    names = [n for n, m in model.named_modules() if m in layers_of(model)]
    weights = {f"{name}.weight": model.get_submodule(name).weight.detach() for name in names}
    masks = {name: torch.ones_like(weight, requires_grad=True) for name, weight in weights.items()}
    masked = {name: masks[name] * weight for name, weight in weights.items()}
    scores = torch.func.functional_call(model, masked, (images,))
    generator = torch.Generator().manual_seed(seed + LABELS)
    cross_entropy(scores, labels(len(scores), scores.shape[1], generator)).backward()
    return math.log(sum(float(mask.grad.abs().sum()) for mask in masks.values()))


def synflow(model: nn.Module, images: Tensor, seed: int) -> float:
    model = copy.deepcopy(model).eval().double()
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, nn.Identity())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.abs())
    model(torch.ones(1, *images.shape[1:], dtype=torch.float64)).sum().backward()
    flows = [(layer.weight * layer.weight.grad).abs().sum() for layer in layers_of(model)]
    return math.log(sum(flow.item() for flow in flows))


def zico(model: nn.Module, images: Tensor, seed: int) -> float:
    model = scoring_mode(model)
    generator = torch.Generator().manual_seed(seed + LABELS)
    batches: list[list[Any]] = []
    middle = len(images) // 2
    for half in (images[:middle], images[middle:]):
        model.zero_grad()
        scores = model(half)
        cross_entropy(scores, labels(len(scores), scores.shape[1], generator)).backward()
        batches.append([layer.weight.grad.double().numpy().ravel() for layer in layers_of(model)])
    score = 0.0
    for pair in zip(*batches, strict=True):
        array = np.array(pair)
        spread = array.std(axis=0)
        found = np.abs(array).mean(axis=0)[spread > 0] / spread[spread > 0]
        score += math.log(found.sum())
    return score


def zen(
    model: nn.Module, images: Tensor, seed: int, features: Callable[[nn.Module, Tensor], Tensor]
) -> float:
    model = scoring_mode(model)
    entering: list[np.ndarray] = []
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(lambda m, args: entering.append(args[0].numpy()))
    generator = torch.Generator().manual_seed(seed + NOISE)
    with torch.no_grad():
        x = torch.randn(images.shape, generator=generator)
        noise = torch.randn(images.shape, generator=generator)
        first = features(model, x).numpy().astype(np.float64)
        sigmas = [math.sqrt(y.var(axis=(0, 2, 3)).mean() + 1e-5) for y in entering]
        other = features(model, x + 0.01 * noise).numpy()
    norms = [math.sqrt(((a - b) ** 2).sum()) for a, b in zip(first, other, strict=True)]
    return math.log(np.mean(norms)) + sum(map(math.log, sigmas))


def params(model: nn.Module, images: Tensor, seed: int) -> float:
    return math.log(sum(parameter.numel() for parameter in model.parameters()))


def flops(model: nn.Module, images: Tensor, seed: int) -> float:
    with FlopCounterMode(display=False) as counter:
        scoring_mode(model)(images)
    return math.log(counter.get_total_flops() // len(images))
