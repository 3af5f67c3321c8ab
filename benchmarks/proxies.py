"""Other training-free proxies, written from their papers, to compare their cost."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def nwot(model: nn.Module, inputs: Tensor) -> float:
    """Mellor et al., ICML 2021, arXiv 2006.04647: log-determinant of the agreement of the samples' ReLU
    codes."""
    agreement = torch.zeros(len(inputs), len(inputs))

    def observe(_: nn.Module, __: object, output: Tensor) -> None:
        code = (output.view(len(inputs), -1) > 0).float()
        agreement.add_(code @ code.T).add_((1 - code) @ (1 - code).T)

    hooks = [m.register_forward_hook(observe) for m in model.modules() if isinstance(m, nn.ReLU)]
    with torch.no_grad():
        model(inputs)
    for hook in hooks:
        hook.remove()
    return torch.linalg.slogdet(agreement.double()).logabsdet.item()


def jacov(model: nn.Module, inputs: Tensor) -> float:
    """Abdelfattah et al., ICLR 2021, arXiv 2101.08134: spectrum of the correlations of the samples'
    gradients with respect to the inputs."""
    inputs = inputs.clone().requires_grad_()
    model.zero_grad()
    outputs = model(inputs)
    outputs.backward(torch.ones_like(outputs))
    gradients = inputs.grad
    model.zero_grad()
    eigenvalues = torch.linalg.eigvalsh(torch.corrcoef(gradients.flatten(1)).double()) + 1e-5
    return -(eigenvalues.log() + 1 / eigenvalues).sum().item()


def synflow(model: nn.Module, inputs: Tensor, samples: int = 1) -> float:
    """Tanaka et al., NeurIPS 2020, arXiv 2006.05467, as Abdelfattah et al. compute it: sum of weight times
    gradient of a network of absolute weights, on ``samples`` inputs of ones (one is enough). In double
    precision, since the sums overflow otherwise; batch normalisation as in evaluation."""
    training = model.training
    model.eval().double()
    with torch.no_grad():
        signs = [parameter.sign() for parameter in model.parameters()]
        for parameter in model.parameters():
            parameter.abs_()
    model.zero_grad()
    model(torch.ones_like(inputs[:samples], dtype=torch.float64)).sum().backward()
    total = sum(
        (parameter * parameter.grad).abs().sum().item()
        for parameter in model.parameters()
        if parameter.grad is not None
    )
    with torch.no_grad():
        for parameter, sign in zip(model.parameters(), signs, strict=True):
            parameter.mul_(sign)
    model.zero_grad()
    model.train(training).float()
    return total
