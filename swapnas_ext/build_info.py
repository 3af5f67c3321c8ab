"""What was built, and what it runs on."""

from __future__ import annotations

from typing import Any

import torch

from swapnas_ext._native import _C
from swapnas_ext.version import __version__


def build_info() -> dict[str, Any]:
    """Versions and hardware, as a JSON-compatible dictionary.

    ``cpu_isa`` is the instruction set in use, ``available_cpu_isas`` those of this machine and build
    (the environment variable SWAPNAS_CPU_ISA chooses one before the import), ``threads`` torch's
    thread count, and ``cuda`` the CUDA architectures of the binary, or why there are none.
    """
    return {
        "version": __version__,
        "binary_version": _C.version,
        "compiler": _C.compiler,
        "torch": torch.__version__,
        "cpu_isa": _C.cpu_isa(),
        "available_cpu_isas": _C.available_cpu_isas(),
        "threads": torch.get_num_threads(),
        "cuda": _C.cuda_architectures or "not built: this version has CPU kernels only",
    }
