"""Builds the compiled part with CMake and ninja; everything else is in pyproject.toml.

Environment: SWAPNAS_CUDA=0|1|auto, SWAPNAS_TORCH_DIR (the torch whose headers are used, where it is not the installed
one), CMAKE_ARGS (further arguments), MAX_JOBS (parallel compilers).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "build_backend"))
from cmake_configure import configure  # noqa: E402
from torch_location import TORCH_REQUIREMENT, installed_torch  # noqa: E402


def tool(name):
    """A build tool from PATH, or from its wheel."""
    beside_python = Path(sys.executable).parent / name
    found = shutil.which(name) or (str(beside_python) if beside_python.exists() else None)
    if found is None:
        raise RuntimeError(f"{name} is needed to build swapnas_ext; run: pip install {name}")
    return found


class CMakeBuild(build_ext):
    def build_extension(self, ext):
        torch = installed_torch()
        if torch is None:
            raise RuntimeError(
                f"{TORCH_REQUIREMENT} is needed to build swapnas_ext and is not installed; "
                f"run: pip install '{TORCH_REQUIREMENT}'"
            )
        import pybind11

        target = Path(self.get_ext_fullpath(ext.name)).resolve().parent
        folder = ROOT / "build" / f"{sys.implementation.cache_tag}"
        setting_up = [
            tool("cmake"),
            "-G",
            "Ninja",
            f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}",
            "-DSWAPNAS_PYTHON=ON",
            f"-DSWAPNAS_CUDA={os.environ.get('SWAPNAS_CUDA', 'auto')}",
            f"-DSWAPNAS_TORCH_DIR={torch}",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
            f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={target}",
            *os.environ.get("CMAKE_ARGS", "").split(),
            str(ROOT),
        ]
        compile_ = [tool("cmake"), "--build", ".", "--target", "_C"]
        if "MAX_JOBS" in os.environ:
            compile_ += ["--parallel", os.environ["MAX_JOBS"]]
        if not configure(setting_up, folder):
            raise _failure(setting_up)
        if subprocess.run(compile_, cwd=folder, check=False).returncode:
            raise _failure(compile_)


def _failure(command):
    return RuntimeError(
        f"building swapnas_ext failed in: {' '.join(command)}\nWhat went wrong is told above. A C++20 compiler "
        "is needed: GCC 12 or Clang 15, or newer (set CXX)."
    )


class FreshBuild(build):
    """What an earlier build left, of another version or machine, would be packed with the rest."""

    def run(self):
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


setup(
    ext_modules=[Extension("swapnas_ext._C", sources=[])],
    cmdclass={"build": FreshBuild, "build_ext": CMakeBuild},
)
