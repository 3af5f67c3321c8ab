"""Describes the machine and checks the binary, for `gpu.py`, which does not touch the GPU itself:

python benchmarks/gpu_machine.py versions | binary [--dry-run]
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import gpu_messages
from gpu_binary import tool

_PACKAGES = ("torch", "setuptools", "pybind11", "numpy", "pytest", "hypothesis")
_TOOLS = ("cmake", "ninja", "nvcc", "ncu", "compute-sanitizer")


def versions(dry_run: bool) -> dict[str, Any]:
    import torch

    found: dict[str, Any] = {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "torch_cuda": torch.version.cuda,
        "packages": {name: package_version(name) for name in _PACKAGES},
        "tools": {name: tool_version(name) for name in _TOOLS},
    }
    if dry_run:
        return found | {"gpu": "dry run"}
    if not torch.cuda.is_available():
        raise SystemExit(
            f"torch {torch.__version__} finds no GPU here; --dry-run goes through everything without one"
        )
    properties = torch.cuda.get_device_properties(0)
    driver = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return found | {
        "gpu": properties.name,
        "arch": f"{properties.major}{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "driver": output(driver),
    }


def package_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def tool_version(name: str) -> str | None:
    path = tool(name)
    if path is None:
        return None
    numbers = re.findall(r"\d+\.\d+(?:\.\d+)*", output([path, "--version"]))
    return numbers[-1] if numbers else "of unknown version"


def output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown: {error}"


def binary(dry_run: bool) -> dict[str, Any]:
    import torch

    import swapnas_ext as swap
    from swapnas_ext import _C
    from swapnas_ext.patterns import reference

    info = {"binary": Path(_C.__file__).name, **swap.build_info()}
    if info["binary_version"] != info["version"]:
        raise SystemExit(
            f"{_C.__file__} is of version {_C.version}, the package of {info['version']}"
        )
    if not dry_run and info["cuda"] != "usable":
        raise SystemExit(f"{_C.__file__} can't use the GPU: {info['cuda']}")
    x = torch.randn(16, 10_000, device="cpu" if dry_run else "cuda")
    counter = swap.PatternCounter(16, device=x.device)
    same_relu = torch.equal(counter.relu(x), torch.relu(x))
    if not same_relu or counter.count() != reference.count_patterns(x, samples=16):
        raise SystemExit(f"{_C.__file__} loads, and its kernels are wrong")
    return info


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["versions", "binary"])
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args()
    found = {"versions": versions, "binary": binary}[arguments.what](arguments.dry_run)
    for name, value in found.items():
        print(f"{name}: {value}", flush=True)
    gpu_messages.tell("machine", found)


if __name__ == "__main__":
    main()
