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
    thread count. ``cuda_architectures`` are those that the binary has kernels for, and ``cuda`` says
    whether they can run here, or why not; the CPU half works in any case.
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
    reason = _C.cuda_unavailable()
    return f"unusable: {reason}" if reason else "usable"
