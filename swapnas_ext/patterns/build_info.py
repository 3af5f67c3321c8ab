"""Reports how the package was built, and what this machine can run."""

from __future__ import annotations

from typing import Any

import torch

from swapnas_ext.patterns.native import _C
from swapnas_ext.version import __version__


def build_info() -> dict[str, Any]:
    """Versions and hardware, as a JSON-compatible dictionary.

    Keys:

    * ``cpu_isa``: the instruction set in use; ``available_cpu_isas``: all that this machine and build
      offer. The environment variable SWAPNAS_CPU_ISA chooses one before the import.
    * ``threads``: torch's thread count.
    * ``cuda_architectures``: those that the binary has kernels for; ``cuda``: ``"usable"``, or why they
      can't run here. The CPU kernels work in any case.
    * ``version``, ``binary_version``, ``compiler``, ``torch``.
    """
    return {
        "version": __version__,
        "binary_version": _C.version,
        "compiler": _C.compiler,
        "torch": torch.__version__,
        "cpu_isa": _C.cpu_isa(),
        "available_cpu_isas": _C.available_cpu_isas(),
        "threads": torch.get_num_threads(),
        "cuda_architectures": (_C.cuda_architectures or "").split(),
        "cuda": _cuda_state(),
    }


def _cuda_state() -> str:
    if not _C.cuda_architectures:
        return "not built: there was no CUDA compiler, or SWAPNAS_CUDA=0, at installation"
    if torch.version.cuda is None:
        return f"unusable: torch {torch.__version__} is a build without CUDA"
    problem = cuda_problem(*_C.cuda_availability())
    return f"unusable: {problem}" if problem else "usable"


# The oldest driver for each major version of CUDA: table 3 of the release notes of the CUDA toolkit.
_OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}


def cuda_problem(driver_cuda: int, runtime_cuda: int, error: str) -> str:
    """Why the CUDA kernels can't run on this machine, and what to do. Empty where they can.

    Args:
        driver_cuda: the newest CUDA that the driver knows, as 1000 * major + 10 * minor; 0: no driver.
        runtime_cuda: the CUDA that the kernels were built with.
        error: CUDA's own error text; empty where there is none.
    """
    if not error:
        return ""
    built = f"the kernels were built with CUDA {_version(runtime_cuda)}"
    oldest = _OLDEST_DRIVER.get(runtime_cuda // 1000)
    needs = f", which needs driver {oldest} or newer" if oldest else ""
    if driver_cuda == 0:
        return f"no NVIDIA driver was found, and {built}{needs}"
    if driver_cuda // 1000 < runtime_cuda // 1000:
        return (
            f"the NVIDIA driver knows CUDA {_version(driver_cuda)}, and {built}{needs}: update the driver, "
            f"or rebuild swapnas_ext with an nvcc of CUDA {driver_cuda // 1000} on the PATH "
            "(pip install --force-reinstall --no-deps .)"
        )
    return f"{error} (driver for CUDA {_version(driver_cuda)}, {built})"


def _version(cuda: int) -> str:
    return f"{cuda // 1000}.{cuda % 1000 // 10}"
