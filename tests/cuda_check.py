"""Checks the compiled CUDA kernels without a GPU: registers, shared memory and spills of every kernel
on every architecture, and the width of their loads. Fails if a kernel spills registers or does not read runs of
neurons at once (16 bytes, or 8 of the 16-bit types), or if an error does not name its kernel. Run by
``make cuda-check``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
# Kernels that read activations or packed patterns in runs; the others read slots or single words.
READS_RUNS = re.compile(
    r"^insert_kernel<(Narrow|Wide)Inserter<.*, [24]> ?>|^(lines_insert|pack)_kernel<"
)
FLAGS = [
    "-std=c++20",
    "-O3",
    f"-I{ROOT / 'csrc'}",
    '-DSWAPNAS_CUDA_ARCHITECTURES="those of this check"',
    "-Xcompiler=-Wall,-Wextra,-Werror",
    "-Werror=all-warnings",
]


@dataclass
class Kernel:
    registers: int
    shared: int
    spilled: int  # bytes
    wide_loads: int = 0  # of 8 and 16 bytes, in the machine code
    wide_stores: int = 0


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def readable(mangled: list[str]) -> dict[str, str]:
    """Names as in the source."""
    if shutil.which("c++filt") is None:
        return {name: name for name in mangled}
    names = run("c++filt", *mangled).splitlines()
    noise = r"^void |swapnas::cuda::|\(anonymous namespace\)::|_GLOBAL__N_\w+::"
    return {m: re.sub(noise, "", name) for m, name in zip(mangled, names, strict=True)}


def compile_for(architecture: int, folder: Path) -> dict[str, Kernel]:
    """The kernels of all sources, by their mangled name."""
    kernels: dict[str, Kernel] = {}
    for source in sorted((ROOT / "csrc/cuda").glob("*.cu")):
        cubin = folder / f"{source.stem}.{architecture}.cubin"
        target = f"arch=compute_{architecture},code=sm_{architecture}"
        report = run(
            "nvcc", *FLAGS, "-cubin", "-gencode", target, "-Xptxas", "-v", "-o", cubin, source
        )
        for part in report.split("Compiling entry function '")[1:]:
            spilled = re.findall(r"(\d+) bytes spill", part)
            shared = re.search(r"(\d+) bytes smem", part)
            kernels[part.partition("'")[0]] = Kernel(
                registers=int(re.search(r"Used (\d+) registers", part)[1]),
                shared=int(shared[1]) if shared else 0,
                spilled=sum(map(int, spilled)),
            )
        for part in run("cuobjdump", "-sass", cubin).split("Function : ")[1:]:
            kernel = kernels[part.split(maxsplit=1)[0]]
            kernel.wide_loads = len(re.findall(r"\bLDG\.(?![\w.]*STRONG)[\w.]*(?:128|64)", part))
            kernel.wide_stores = len(re.findall(r"\bSTG\.[\w.]*(?:128|64)", part))
    return kernels


def check_launch_errors(folder: Path) -> None:
    """Without a GPU, or on one that lacks the kernel, a failed launch must name the kernel."""
    program = folder / "launch_errors"
    run(
        "nvcc",
        *FLAGS,
        "-o",
        program,
        ROOT / "tests/cuda_launch_errors.cu",
        ROOT / "csrc/cuda/device.cu",
    )
    print(run(program).strip())


def main() -> None:
    for tool, package in (
        ("nvcc", "the CUDA toolkit"),
        ("cuobjdump", "nvidia-cuda-cuobjdump"),
        ("nvdisasm", "nvidia-cuda-nvdisasm"),
    ):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not on the PATH; install {package}")
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = Path(temporary)
        errors = pool.submit(check_launch_errors, folder)
        found = list(pool.map(lambda one: compile_for(one, folder), ARCHITECTURES))
        errors.result()
    names = readable(sorted({name for kernels in found for name in kernels}))
    print(
        "\nRegisters on each architecture, bytes of static shared memory, loads and stores of 8 and 16 bytes (sm_90)"
    )
    print(
        f"{'kernel':<88}" + "".join(f"{one:>5}" for one in ARCHITECTURES) + "  shared  loads stores"
    )
    problems = []
    for mangled, name in sorted(names.items(), key=lambda pair: pair[1]):
        of = [kernels[mangled] for kernels in found]
        middle = of[ARCHITECTURES.index(90)]
        registers = "".join(f"{kernel.registers:>5}" for kernel in of)
        print(
            f"{name:<88}{registers}{middle.shared:>8}{middle.wide_loads:>7}{middle.wide_stores:>7}"
        )
        for architecture, kernel in zip(ARCHITECTURES, of, strict=True):
            if kernel.spilled:
                problems.append(f"{name} spills {kernel.spilled} bytes on sm_{architecture}")
            if READS_RUNS.search(name) and kernel.wide_loads == 0:
                problems.append(f"{name} has no load of a run on sm_{architecture}")
    if problems:
        sys.exit("\n".join(["", *problems]))
    print(f"\n{len(names)} kernels on {len(ARCHITECTURES)} architectures: no spills, loads of runs")


if __name__ == "__main__":
    main()
