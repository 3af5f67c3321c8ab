"""The parts of ``make wheels`` that need no network: what is wrong with a wheel, and which torch a build uses."""

from __future__ import annotations

import importlib.util
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import wheels
import wheels_contents as contents

ROOT = Path(__file__).parents[1]
SOURCES = {
    "CMakeLists.txt",
    "csrc/pattern.h",
    "swapnas_ext/__init__.py",
    "swapnas_ext/py.typed",
    "swapnas_ext/report/templates/page.html",
    "tests/test_wheels.py",
}
PACKAGE = sorted(name for name in SOURCES if name.startswith("swapnas_ext/"))
BINARY = "swapnas_ext/_C.cpython-312-x86_64-linux-gnu.so"
METADATA = "swapnas_ext-1.2.3.dist-info/METADATA"


def wheel(folder: Path, names: Iterable[str]) -> Path:
    path = folder / "swapnas_ext-1.2.3-cp312-cp312-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("swapnas_ext/", "")  # auditwheel writes folders too
        for name in names:
            archive.writestr(name, name)
    return path


def sdist(folder: Path, names: Iterable[str]) -> Path:
    path = folder / "swapnas_ext-1.2.3.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(f"swapnas_ext-1.2.3/{name}"), io.BytesIO())
    return path


def test_a_good_wheel(tmp_path: Path) -> None:
    good = wheel(tmp_path, [*PACKAGE, BINARY, METADATA])
    assert contents.problems_of_wheel(good, SOURCES) == []
    inside = contents.contents(good)
    assert inside.binary == len(BINARY)
    assert str(inside) == "1 .html, 1 .py, 1 .so, 1 .typed, 1 metadata"


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("swapnas_ext.libs/libtorch_cpu-0af3.so", "which comes with torch"),
        ("swapnas_ext.libs/libc10.so", "which comes with torch"),
        ("tests/test_wheels.py", "which is not of the package"),
        ("swapnas_ext/forgotten_cache.bin", "which is not of the package"),
        ("swapnas_ext/_C.cpython-311-x86_64-linux-gnu.so", "2 compiled modules"),
    ],
)
def test_what_does_not_belong_in_a_wheel(tmp_path: Path, extra: str, told: str) -> None:
    found = contents.problems_of_wheel(
        wheel(tmp_path, [*PACKAGE, BINARY, METADATA, extra]), SOURCES
    )
    assert any(extra in sentence and told in sentence for sentence in found)


@pytest.mark.parametrize("name", PACKAGE)
def test_what_a_wheel_lacks(tmp_path: Path, name: str) -> None:
    there = [one for one in PACKAGE if one != name]
    found = contents.problems_of_wheel(wheel(tmp_path, [*there, BINARY, METADATA]), SOURCES)
    assert found == [f"it lacks {name}"]


def test_a_wheel_without_the_compiled_part(tmp_path: Path) -> None:
    (found,) = contents.problems_of_wheel(wheel(tmp_path, [*PACKAGE, METADATA]), SOURCES)
    assert "0 compiled modules" in found


def test_source_distributions(tmp_path: Path) -> None:
    needed = sorted(SOURCES - {"tests/test_wheels.py"})
    assert contents.problems_of_sdist(sdist(tmp_path, needed), SOURCES) == []
    bad = sdist(tmp_path, [*needed[1:], BINARY, "tests/test_wheels.py"])
    found = contents.problems_of_sdist(bad, SOURCES)
    assert [sentence.split()[1] for sentence in found] == ["lacks", "holds", "holds"]


def test_pythons_of_pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    for version in ("3.12.9", "3.12.10", "3.12.0rc1", "3.1.0"):
        program = tmp_path / "versions" / version / "bin/python"
        program.parent.mkdir(parents=True)
        program.touch()
    assert wheels.place("3.12") == str(tmp_path / "versions/3.12.10/bin/python")
    assert [wheels.place(name) for name in ("3.13", "/opt/python")] == ["3.13", "/opt/python"]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"version": "1.2.3", "binary_version": "1.2.2"}, "its binary_version is 1.2.2"),
        ({"file": str(ROOT / "swapnas_ext/__init__.py")}, "which is the checkout's"),
    ],
)
def test_what_an_installed_wheel_tells(told: dict[str, str], words: str) -> None:
    built = wheels.Built("3.12.1", "swapnas_ext-1.2.3-cp312-cp312-linux_x86_64.whl")
    assert wheels.wrong({"version": "1.2.3", "binary_version": "1.2.3"}, built) == ()
    (sentence,) = wheels.wrong(told, built)
    assert words in sentence


def test_the_table_tells_what_is_wrong() -> None:
    good = wheels.Built("3.12.1", "a.whl", 900.4, 560.6, "3 .py", 40.2, 84.4, "6136 patterns")
    bad = wheels.Built("3.13.0", problems=("it lacks\na",))
    *_, first, second = wheels.table([good, bad]).splitlines()
    assert first == "| 3.12.1 | a.whl | 900 | 561 | 3 .py | 40 | 84 | 6136 patterns |"
    assert second.endswith("| it lacks a |")


@pytest.fixture
def installed_torch(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path | None]:
    """Of the build backend."""
    monkeypatch.delenv("SWAPNAS_TORCH_DIR", raising=False)
    spec = importlib.util.spec_from_file_location(
        "torch_location", ROOT / "build_backend/torch_location.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[], Path | None] = module.installed_torch
    return found


def test_a_named_torch_is_used(
    installed_torch: Callable[[], Path | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "include/torch/csrc/stable").mkdir(parents=True)
    assert installed_torch() != tmp_path
    monkeypatch.setenv("SWAPNAS_TORCH_DIR", str(tmp_path))
    assert installed_torch() == tmp_path


def test_a_named_folder_without_headers_is_refused(
    installed_torch: Callable[[], Path | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SWAPNAS_TORCH_DIR", str(tmp_path))
    with pytest.raises(
        RuntimeError, match=r"holds no headers of torch>=2\.10; expected the folder"
    ):
        installed_torch()
