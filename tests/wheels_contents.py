"""What is in a wheel or a source distribution, and what is wrong with it; for ``tests/wheels.py``."""

from __future__ import annotations

import re
import subprocess
import tarfile
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PACKAGE = "swapnas_ext"
# torch brings these; two copies in one process would each have their own operators.
FOREIGN_LIBRARY = re.compile(r"lib(torch|c10|caffe2|shm|cud|cublas|nccl|nv)")
BINARY = re.compile(rf"{PACKAGE}/_C\.[^/]+\.(so|pyd)")
BUILDS_FROM = ("build_backend", "csrc", PACKAGE)
BUILDS_FROM_FILES = ("CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml", "setup.py")


@dataclass(frozen=True)
class Contents:
    """Sizes in bytes: of the files by their names' ends, and of the compiled part, unpacked."""

    files: Counter[str]
    binary: int

    def __str__(self) -> str:
        return ", ".join(f"{number} {kind}" for kind, number in sorted(self.files.items()))


def tracked(root: Path) -> set[str]:
    """The files of a checkout that git doesn't ignore, as they are: new ones too, deleted ones not."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return {name for name in listed.split("\0") if name and (root / name).is_file()}


def contents(wheel: Path) -> Contents:
    entries = _entries(wheel)
    kinds = Counter(_kind(entry.filename) for entry in entries)
    return Contents(kinds, sum(one.file_size for one in entries if BINARY.fullmatch(one.filename)))


def problems_of_wheel(wheel: Path, sources: Collection[str]) -> list[str]:
    """Sentences; none where the wheel holds the package, the compiled part once, its metadata, and nothing else.

    Args:
        sources: the files of the checkout, as ``tracked`` gives them.
    """
    names = [entry.filename for entry in _entries(wheel)]
    expected = {name for name in sources if name.startswith(f"{PACKAGE}/")}
    binaries = [name for name in names if BINARY.fullmatch(name)]
    rest = {name for name in names if not re.match(rf"{PACKAGE}-[^/]+\.dist-info/", name)}
    rest -= set(binaries)
    found = [f"it holds {name}, which comes with torch" for name in _foreign(names)]
    found += [f"it lacks {name}" for name in sorted(expected - rest)]
    found += [f"it holds {name}, which is not of the package" for name in sorted(rest - expected)]
    if len(binaries) != 1:
        found.append(f"it holds {len(binaries)} compiled modules _C, expected one: {binaries}")
    return found


def problems_of_sdist(sdist: Path, sources: Collection[str]) -> list[str]:
    """Sentences; none where everything that a build needs is in it, and nothing compiled and no tests."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    expected = {
        name
        for name in sources
        if name in BUILDS_FROM_FILES or name.startswith(tuple(f"{one}/" for one in BUILDS_FROM))
    }
    compiled = [name for name in names if name.endswith((".so", ".pyd", ".pyc"))]
    tests = [name for name in names if name.startswith("tests/")]
    return [
        *(f"it lacks {name}" for name in sorted(expected - names)),
        *(f"it holds {name}, which is compiled" for name in sorted(compiled)),
        *(f"it holds {name}; the tests need the whole checkout" for name in sorted(tests)),
    ]


def _entries(wheel: Path) -> list[zipfile.ZipInfo]:
    """The files; auditwheel writes folders too."""
    with zipfile.ZipFile(wheel) as archive:
        return [entry for entry in archive.infolist() if not entry.is_dir()]


def _foreign(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if FOREIGN_LIBRARY.match(PurePosixPath(name).name))


def _kind(name: str) -> str:
    return "metadata" if ".dist-info/" in name else PurePosixPath(name).suffix or "other"
