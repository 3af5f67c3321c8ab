"""The instruction sets of the processor: these operators run there alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from swapnas_ext.patterns.native import _C


@pytest.fixture(params=_C.available_cpu_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs the test on each of them that this machine has."""
    before = _C.cpu_isa()
    _C.set_cpu_isa(request.param)
    yield request.param
    _C.set_cpu_isa(before)
