"""Peak memory, against networks that were worked out by hand, and against runs on the CPU."""

from __future__ import annotations

import random

import pytest
import torch
from support.searches import small_space
from torch import Tensor, nn

from swapnas_ext.search import peak_memory

FLOAT = 4  # bytes
MAP = 8 * 16 * 16 * FLOAT
"""A feature map of 8 channels."""


def convolution() -> nn.Conv2d:
    return nn.Conv2d(8, 8, 3, padding=1, bias=False)


WEIGHTS = 8 * 8 * 9 * FLOAT


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = convolution(), convolution()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class Concatenation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = convolution(), convolution()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.first(x), self.second(x)], 1)


def peak(network: nn.Module) -> int:
    with torch.device("meta"):
        return peak_memory(network.to("meta").eval(), torch.zeros(1, 8, 16, 16))


def test_a_chain_needs_two_maps_beside_its_input() -> None:
    # nn.Sequential gives each map to the next module; the caller keeps the input.
    chain = nn.Sequential(*(convolution() for _ in range(5)))
    assert peak(chain) == 5 * WEIGHTS + 3 * MAP


def test_a_residual_connection() -> None:
    # The input, the branch and their sum; before that the input and both maps of the branch.
    assert peak(Residual()) == 2 * WEIGHTS + 3 * MAP


def test_a_concatenation_copies_its_parts() -> None:
    assert peak(Concatenation()) == 2 * WEIGHTS + (1 + 2 + 2) * MAP


def test_in_place_and_views_take_no_memory() -> None:
    alone = peak(nn.Sequential(convolution()))
    assert peak(nn.Sequential(convolution(), nn.ReLU(inplace=True))) == alone
    assert peak(nn.Sequential(convolution(), nn.Flatten(), nn.Unflatten(1, (8, 256)))) == alone
    assert peak(nn.Sequential(convolution(), nn.ReLU())) == alone + MAP


def test_weights_in_two_places_and_buffers_count_once() -> None:
    shared = convolution()
    assert peak(nn.Sequential(shared, shared)) == WEIGHTS + 3 * MAP
    norm = nn.BatchNorm2d(8)
    buffers = 8 + 2 * 2 * 8 * FLOAT  # the number of batches is a 64-bit integer
    assert peak(nn.Sequential(norm)) == buffers + 2 * MAP


def test_a_run_on_the_cpu_takes_the_same() -> None:
    space = small_space()
    for seed in range(3):
        architecture = space.sample(random.Random(seed))
        with torch.device("meta"):
            counted = peak_memory(space.build(architecture).eval(), space.inputs(1).to("meta"))
        real = peak_memory(space.build(architecture).eval(), space.inputs(1))
        assert counted == pytest.approx(real, rel=0.02)
        assert real > sum(p.numel() for p in space.build(architecture).parameters()) * FLOAT
