"""Builds the compiled part with CMake alone, for the GPU of one architecture, and puts it into the checkout:

    python benchmarks/gpu_binary.py --arch 90 [--python python3.12]

The headers of torch and pybind11 come from the Python that runs this. The binary is for ``--python``, which
needs neither package, only its own headers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "build_backend"))
from torch_location import TORCH_REQUIREMENT, installed_torch  # noqa: E402

NO_GPU = "none"


def tool(name: str) -> str | None:
    """Looks beside this Python, on the PATH, and in the usual place of the CUDA toolkit."""
    toolkit = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    for folder in (Path(sys.executable).parent, None, Path(toolkit, "bin")):
        found = shutil.which(name, path=None if folder is None else str(folder))
        if found is not None:
            return found
    return None


def needed(name: str, how: str) -> str:
    found = tool(name)
    if found is None:
        raise SystemExit(f"{name} is needed to build and is not on the PATH; {how}")
    return found


def answer(python: str, code: str) -> str:
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{python} does not run: {done.stderr.strip()}; give a Python as --python")
    return done.stdout.strip()


def build(python: str, arch: str) -> Path:
    """Builds the binary in the checkout, for that Python."""
    torch = installed_torch()
    if torch is None:
        raise SystemExit(f"no {TORCH_REQUIREMENT} in {sys.executable}, whose headers are needed")
    try:
        import pybind11
    except ImportError:
        raise SystemExit(
            f"no pybind11 in {sys.executable}, whose headers are needed; run: pip install pybind11"
        ) from None
    executable, tag = answer(
        python, "import sys; print(sys.executable, sys.implementation.cache_tag)"
    ).split()
    folder = ROOT / "build" / f"gpu-{tag}-{arch}"
    library = folder / "library"
    configure = [
        needed("cmake", "run: pip install cmake"),
        *("-S", str(ROOT), "-B", str(folder), "-G", "Ninja"),
        f"-DCMAKE_MAKE_PROGRAM={needed('ninja', 'run: pip install ninja')}",
        "-DSWAPNAS_PYTHON=ON",
        f"-DSWAPNAS_TORCH_DIR={torch}",
        f"-DPython_EXECUTABLE={executable}",
        f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
        f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={library}",
    ]
    if arch == NO_GPU:
        configure.append("-DSWAPNAS_CUDA=0")
    else:
        nvcc = needed("nvcc", "install CUDA >= 12.8")
        configure += ["-DSWAPNAS_CUDA=1", f"-DCMAKE_CUDA_COMPILER={nvcc}"]
        configure.append(f"-DCMAKE_CUDA_ARCHITECTURES={arch}-real")
    shutil.rmtree(library, ignore_errors=True)
    for command in (configure, [configure[0], "--build", str(folder), "--target", "_C"]):
        print(" ".join(command), flush=True)
        if subprocess.run(command).returncode:
            raise SystemExit("the build failed; the compiler's output is above")
    (built,) = library.glob("_C.*")
    target = ROOT / "swapnas_ext" / built.name
    temporary = target.with_name(target.name + ".new")
    shutil.copyfile(built, temporary)
    os.replace(temporary, target)  # a process that has loaded the old one keeps it
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--python", default=sys.executable, help="the Python to build for (default: this one)"
    )
    parser.add_argument(
        "--arch",
        required=True,
        help=f"compute capability without its dot, such as 90 for an H100; {NO_GPU}: CPU only",
    )
    arguments = parser.parse_args()
    print(f"built {build(arguments.python, arguments.arch)}")


if __name__ == "__main__":
    main()
