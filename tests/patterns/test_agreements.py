"""The neurons on which samples agree, against plain PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from support.layouts import activations
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext import _C
from swapnas_ext.patterns import Agreements, reference


def test_the_reference_is_its_definition() -> None:
    x = torch.tensor([[1.0, -1, 2, 0], [3, 4, -5, 0], [1, 1, 1, math.nan]])
    assert reference.agreements(x, samples=3).tolist() == [[4, 2, 3], [2, 4, 3], [3, 3, 4]]
    twice = reference.agreements(x, x[:, :1], samples=3)
    assert torch.equal(twice, reference.agreements(torch.cat([x, x[:, :1]], dim=1), samples=3))


@pytest.mark.slow
@pytest.mark.parametrize("isa", _C.available_cpu_isas())
def test_kernels_equal_the_reference(isa: str) -> None:
    before = _C.cpu_isa()
    _C.set_cpu_isa(isa)
    try:

        @given(case=activations())
        def check(case: tuple[Tensor, int]) -> None:
            x, samples = case
            found = Agreements(samples)
            for times in (1, 2):
                found.update(x)
                assert torch.equal(found.matrix, times * reference.agreements(x, samples=samples))

        check()
    finally:
        _C.set_cpu_isa(before)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_many_neurons_on_threads(threads: int) -> None:
    x = torch.randn(33, 70_001)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = Agreements(33)
        found.update(x)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found.matrix, reference.agreements(x, samples=33))


def test_bad_arguments() -> None:
    with pytest.raises(TypeError, match="got int"):
        Agreements(2).update(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not a multiple of samples=4"):
        Agreements(4).update(torch.ones(6, 2))
    with pytest.raises(RuntimeError, match="contiguous int64 tensor"):
        torch.ops.swapnas.add_agreements_(torch.zeros(3, 3, dtype=torch.int64), torch.ones(4, 2), 4)


# ---- the measure -----------------------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), activation())
        self.second = nn.Sequential(nn.Conv2d(5, 7, 3, padding=1), activation())

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU, nn.Tanh])
def test_nwot_is_its_papers_formula(activation: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model, images = Net(activation), torch.randn(6, 3, 9, 9)
    codes: list[Tensor] = []
    for module in model.modules():
        if isinstance(module, activation):
            module.register_forward_hook(
                lambda _, args, y: codes.append((y > 0).double().reshape(6, -1))
            )
    model(images)
    kernel = torch.zeros(6, 6, dtype=torch.float64)
    for code in codes:
        kernel += code @ code.T + (1 - code) @ (1 - code).T
    score = swap.score(model, images, measure="nwot")
    assert score.log_value == pytest.approx(float(torch.logdet(kernel)), rel=1e-9)


def test_nwot_of_samples_that_no_neuron_distinguishes() -> None:
    images = torch.randn(1, 3, 9, 9).expand(4, 3, 9, 9)
    with pytest.raises(ValueError, match="distinguishes two of the samples"):
        swap.score(Net(), images, measure="nwot")


def test_the_contract() -> None:
    swap.testing.check_measure("nwot")
