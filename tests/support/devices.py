"""Runs tests on a GPU, if available."""

from __future__ import annotations

import pytest

from swapnas_ext.patterns import build_info


def require_cuda() -> None:
    """Skips the test, with the reason, if no CUDA kernel can run."""
    state = build_info()["cuda"]
    if state != "usable":
        pytest.skip(f"needs CUDA: {state}")


with_cuda = pytest.mark.parametrize("device", ["cpu", "cuda"], indirect=True)
"""Runs the test on the CPU, and on a GPU if available."""
