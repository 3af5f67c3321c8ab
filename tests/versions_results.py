"""The results of ``tests/versions.py``: read from pytest's report, stored as JSON, shown as a table."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from packaging.version import Version

LONGEST_MESSAGE = 200  # characters


@dataclass(frozen=True)
class Report:
    """Numbers of tests, and the first line of each failure."""

    passed: int = 0
    skipped: int = 0
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one torch in one Python.

    Attributes:
        torch, python, numpy, built_with: full versions; `built_with` is the torch whose headers the
            binary was built with.
        system: operating system and processor.
        date: ISO 8601.
        no_wheel: whether the index serves no such torch for this Python.
        problem: why the tests did not run to their end, or nothing.
    """

    torch: str
    python: str
    system: str
    date: str
    numpy: str = ""
    built_with: str = ""
    report: Report = field(default_factory=Report)
    no_wheel: bool = False
    problem: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.problem or self.report.failures)

    def __str__(self) -> str:
        if self.no_wheel:
            return "no wheel"
        failures = len(self.report.failures)
        counts = f"{self.report.passed} passed, {failures} failed, {self.report.skipped} skipped"
        return f"{self.problem}; {counts}" if self.problem else counts


def minor(version: str | Version) -> Version:
    """2.15 of 2.15.1"""
    version = Version(str(version))
    return Version(f"{version.major}.{version.minor}")


def read_report(junit: Path) -> Report:
    """Reads the file of ``pytest --junitxml``."""
    passed, skipped = set(), set()
    failures: dict[str, str] = {}
    for case in ET.parse(junit).iter("testcase"):
        test = "::".join(filter(None, (case.get("classname"), case.get("name", ""))))
        kinds = {part.tag: part for part in case}
        failure = kinds.get("failure", kinds.get("error"))
        if failure is not None:
            lines = failure.get("message", "").splitlines() or [""]
            failures.setdefault(test, lines[0][:LONGEST_MESSAGE])
        elif "skipped" in kinds:
            skipped.add(test)
        else:
            passed.add(test)
    return Report(len(passed - failures.keys()), len(skipped - failures.keys()), failures)


def read(file: Path) -> list[Outcome]:
    if not file.exists():
        return []
    return [
        Outcome(**{**fields, "report": Report(**fields["report"])})
        for fields in json.loads(file.read_text())
    ]


def merged(before: Iterable[Outcome], new: Iterable[Outcome]) -> list[Outcome]:
    """In the order of versions; a new outcome replaces that of the same minor versions."""
    cells = {(minor(one.torch), minor(one.python)): one for one in (*before, *new)}
    return [cells[versions] for versions in sorted(cells)]


def write(outcomes: Iterable[Outcome], file: Path, table: Path) -> None:
    outcomes = list(outcomes)
    file.write_text(json.dumps([asdict(one) for one in outcomes], indent=2) + "\n")
    table.write_text(to_markdown(outcomes))


def to_markdown(outcomes: Iterable[Outcome]) -> str:
    outcomes = list(outcomes)
    rows = "\n".join(_row(one) for one in outcomes)
    failed = [line for one in outcomes if one.failed for line in _what_failed(one)]
    return (
        "# Versions\n\n"
        "The core tests in each torch and each Python. One binary for each Python is loaded in every "
        'torch; it is built without\nCUDA, with the headers of the torch under "built with". Skipped '
        "tests need a GPU, a benchmark table or a package that\nis not a dependency. "
        "Written by `make test-versions` (`tests/versions.py`).\n\n"
        "`make wheels` builds a wheel for each Python. One wheel for all of them (abi3) is not possible: "
        "pybind11 does not\nsupport Python's stable ABI. libtorch is not in a wheel; the installed torch "
        "brings it. The tag of a wheel is the\noldest glibc that it runs with, and comes from the compiler: "
        "`manylinux_2_34` with GCC 12 on Debian 12;\nthe workflow builds in containers of `manylinux_2_28`, "
        "as torch does. `SWAPNAS_TORCH_DIR` names the torch whose\nheaders are used, which may be another "
        "Python's.\n\n"
        "| torch | Python | NumPy | passed | failed | skipped | built with | on | date |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
        f"{rows}\n" + "\n".join(["", "## What failed", "", *failed, ""] if failed else [])
    )


def _row(one: Outcome) -> str:
    report = one.report
    counts: tuple[object, ...] = (report.passed, len(report.failures), report.skipped)
    if one.no_wheel:
        counts = ("no wheel", "", "")
    elif one.problem:
        counts = ("", "see below", "")
    cells = (
        *(one.torch, one.python, one.numpy, *counts),
        *(one.built_with, one.system, one.date),
    )
    return f"| {' | '.join(map(str, cells))} |"


def _what_failed(one: Outcome) -> list[str]:
    """Lines of a list; one line for all cases of a test."""
    name = f"torch {one.torch}, Python {one.python}"
    lines = [f"- {name}: {one.problem}"] if one.problem else []
    cases = Counter(_function(test) for test in one.report.failures)
    messages = {_function(test): message for test, message in reversed(one.report.failures.items())}
    for test, count in cases.items():
        times = f" ({count} cases)" if count > 1 else ""
        lines.append(f"- {name}: `{test}`{times}: `{messages[test].replace('`', chr(39))}`")
    return lines


def _function(test: str) -> str:
    return re.sub(r"\[.*", "", test, flags=re.DOTALL)
