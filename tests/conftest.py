"""What the tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from torch import nn

from swapnas_ext.patterns import build_info
from swapnas_ext.patterns.native import _C

settings.register_profile("default", deadline=None, print_blob=True)
settings.load_profile("default")

EDGE_SIZES = (1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000)
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def require_cuda() -> None:
    """Skips the test, with the reason, where no CUDA kernel can run."""
    state = build_info()["cuda"]
    if state != "usable":
        pytest.skip(f"needs CUDA: {state}")


with_cuda = pytest.mark.parametrize("device", ["cpu", "cuda"], indirect=True)
"""Runs the test on the CPU, and on a GPU where there is one."""


@pytest.fixture
def device(request: pytest.FixtureRequest) -> torch.device:
    if request.param == "cuda":
        require_cuda()
    return torch.device(request.param)


@pytest.fixture(params=[*_C.available_cpu_isas(), "cuda"])
def kernels(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """Runs the test on each CPU instruction set that this machine has, and on a GPU where there is
    one. Gives the device."""
    if request.param == "cuda":
        require_cuda()
        yield torch.device("cuda")
        return
    before = _C.cpu_isa()
    _C.set_cpu_isa(request.param)
    yield torch.device("cpu")
    _C.set_cpu_isa(before)


@pytest.fixture(params=[1, 2, 5])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def benchmark_data() -> Path:
    """The folder of benchmark tables, which is not part of the project."""
    candidates = [os.environ.get("SWAPNAS_DATA"), Path(__file__).parents[1] / "../shared/data"]
    for candidate in candidates:
        if candidate and Path(candidate).is_dir():
            return Path(candidate).resolve()
    pytest.skip("no benchmark tables: set SWAPNAS_DATA to their folder")


class SmallNet(nn.Module):
    """Convolutions, batch normalisation, dropout and ReLUs, in place and not."""

    def __init__(self, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            activation(),
            nn.Dropout(0.5),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            activation(inplace=True) if activation is nn.ReLU else activation(),
        )
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean((2, 3)))


@pytest.fixture
def small_net() -> SmallNet:
    torch.manual_seed(0)
    return SmallNet()


def assert_same_patterns(counts: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Equal, but for a neuron at a boundary where a convolution of another size rounds otherwise."""
    assert len(counts) == len(expected)
    for count, wanted in zip(counts, expected, strict=True):
        assert abs(count - wanted) <= 1 + wanted // 1000, (counts, expected)
