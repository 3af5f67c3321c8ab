"""Fixtures for all tests, and settings of hypothesis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from support.devices import require_cuda
from support.small_net import SmallNet

from swapnas_ext.cli import worker_options
from swapnas_ext.patterns.native import _C

settings.register_profile("default", deadline=None, print_blob=True)
settings.load_profile("default")


@pytest.fixture(scope="session", autouse=True)
def commands_score_in_this_process() -> Iterator[None]:
    """Commands that tests call in this process score in it unless they ask for two workers or more: each
    process of workers takes two seconds to import torch. Commands in a process of their own are as ever."""
    local_workers = worker_options.local_workers

    def here(workers: int | None, device: str = "cpu") -> int | None:
        return None if workers in (None, 1) else local_workers(workers, device)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_options, "local_workers", here)
        yield


@pytest.fixture
def device(request: pytest.FixtureRequest) -> torch.device:
    if request.param == "cuda":
        require_cuda()
    return torch.device(request.param)


@pytest.fixture(params=[*_C.available_cpu_isas(), "cuda"])
def kernels(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """Runs the test on each CPU instruction set of this machine, and on a GPU if available. Gives
    the device."""
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
    """The folder of benchmark tables, which are not part of the project."""
    candidates = [os.environ.get("SWAPNAS_DATA"), Path(__file__).parents[1] / "../shared/data"]
    for candidate in candidates:
        if candidate and Path(candidate).is_dir():
            return Path(candidate).resolve()
    pytest.skip("no benchmark tables: set SWAPNAS_DATA to their folder")


@pytest.fixture
def small_net() -> SmallNet:
    torch.manual_seed(0)
    return SmallNet()
