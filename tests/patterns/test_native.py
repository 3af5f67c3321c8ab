"""Loading the compiled part: which instruction set runs, and what is said when it can't load."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import swapnas_ext as swap
from swapnas_ext.patterns.native import _C

sys.path.insert(0, str(Path(__file__).parents[2] / "build_backend"))
from cmake_configure import configure

_NO_BINARY = "import sys; sys.modules['swapnas_ext._C'] = None; import swapnas_ext"


def python(
    code: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("isa", _C.available_cpu_isas())
def test_the_environment_chooses_the_isa(isa: str) -> None:
    code = "import swapnas_ext as swap; print(swap.build_info()['cpu_isa'])"
    assert python(code, SWAPNAS_CPU_ISA=isa).stdout.strip() == isa


@pytest.mark.slow
def test_an_isa_that_is_not_there() -> None:
    done = python("import swapnas_ext", SWAPNAS_CPU_ISA="avx9000")
    assert done.returncode == 1
    assert "SWAPNAS_CPU_ISA asks for the CPU instruction set 'avx9000'" in done.stderr
    assert "scalar" in done.stderr


def assert_told_how_to_rebuild(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1
    assert "compiled part does not load" in done.stderr
    assert "pip install" in done.stderr


@pytest.mark.slow
def test_a_binary_that_is_not_there() -> None:
    assert_told_how_to_rebuild(python(_NO_BINARY))


@pytest.mark.slow
def test_a_binary_that_does_not_load(tmp_path: Path) -> None:
    package = tmp_path / "swapnas_ext"
    source = Path(swap.__file__).parent
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    (package / Path(_C.__file__).name).write_bytes(b"not a shared library")
    assert_told_how_to_rebuild(python("import swapnas_ext", cwd=tmp_path))


@pytest.mark.slow
def test_the_folder_of_the_sources_where_nothing_is_built(tmp_path: Path) -> None:
    source = Path(swap.__file__).parent
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(source, tmp_path / "swapnas_ext", ignore=ignored)
    (tmp_path / "setup.py").touch()
    done = python(_NO_BINARY, cwd=tmp_path)
    assert done.returncode == 1
    assert f"is the folder of the sources, {tmp_path}" in done.stderr
    assert "Run Python in another folder" in done.stderr and "circular" not in done.stderr


def test_build_info() -> None:
    info = swap.build_info()
    assert info["version"] == info["binary_version"] == swap.__version__
    assert info["cpu_isa"] in info["available_cpu_isas"]
    assert info["cuda"].partition(":")[0] in ("usable", "unusable", "not built")
    assert bool(info["cuda_architectures"]) == (not info["cuda"].startswith("not built"))


@pytest.mark.slow
def test_the_build_folder_of_a_copied_checkout(tmp_path: Path) -> None:
    """CMake refuses a folder that was made elsewhere."""
    cmake = shutil.which("cmake") or Path(sys.executable).with_name("cmake")
    if not Path(cmake).exists():
        pytest.skip("needs CMake: pip install cmake")
    first, copy = tmp_path / "first", tmp_path / "copy"
    first.mkdir()
    (first / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.24)\nproject(x NONE)\n")
    assert configure([str(cmake), str(first)], first / "build")
    shutil.copytree(first, copy)
    assert configure([str(cmake), str(copy)], copy / "build")
    assert str(copy) in (copy / "build/CMakeCache.txt").read_text()
    assert configure([str(cmake), str(copy)], copy / "build")
    (copy / "CMakeLists.txt").write_text("message(FATAL_ERROR no)\n")
    assert not configure([str(cmake), str(copy)], copy / "build")
