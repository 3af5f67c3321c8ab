"""Builds the extension once for each Python, and runs the core tests with that one binary in every torch
from 2.10 to the newest that the package index serves.

    python tests/versions.py --torch 2.15 --python 3.12 --python /opt/python3.13/bin/python

Needs uv. The results go to benchmarks/results/versions.json and docs/versions.md after each
combination; a narrowed run replaces only its own rows. UV_TORCH_BACKEND=cpu in the environment selects
the smaller builds of torch without CUDA. Logs stay in the folder; each torch is removed after its tests.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import versions_results as results
from packaging.version import Version
from versions_commands import (
    CommandFailed,
    Interpreter,
    Uv,
    find_python,
    newest_in_index,
    removed_afterwards,
    run,
    seconds_since,
    served_torches,
)
from versions_results import Outcome, Report, minor

ROOT = Path(__file__).resolve().parents[1]
JSON = ROOT / "benchmarks/results/versions.json"
TABLE = ROOT / "docs/versions.md"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
SOURCES = (
    *("build_backend", "csrc", "swapnas_ext"),
    *("CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml", "setup.py"),
)
CORE_TESTS = (
    *("capture/test_capture.py", "compat/test_compat_swap.py", "measures/test_composite.py"),
    *("models/test_inputs.py", "models/test_restoring.py"),
    *("patterns/test_counter.py", "patterns/test_native.py", "patterns/test_ops.py"),
    *("patterns/test_reference.py", "scoring/test_repeats.py", "scoring/test_scoring.py"),
    *("spaces/test_darts.py", "spaces/test_nasbench201.py"),
    *("test_isolation.py", "test_torch_private.py"),
)
# Slow, and independent of the version of torch.
NOT_CORE = (
    "patterns/test_counter.py::test_large_sets_on_several_threads",
    "spaces/test_nasbench201.py::test_different_forms_compute_different_functions",
    "spaces/test_nasbench201.py::test_number_of_distinct_cells",
    "spaces/test_nasbench201.py::test_random_changes",
    "patterns/test_native.py::test_an_isa_that_is_not_there",
    "patterns/test_native.py::test_the_environment_chooses_the_isa",
)
TEST_PACKAGES = ("pytest>=8", "pytest-xdist", "hypothesis", "scipy>=1.15")
FREE_GIB = 10
PYTEST_LIMIT_S = 3600
PROBE = (
    "import json, numpy, torch, swapnas_ext; print(json.dumps({'torch': torch.__version__, "
    "'numpy': numpy.__version__, 'file': swapnas_ext.patterns.native._C.__file__}))"
)


def chosen(served: set[Version], wanted: Sequence[Version]) -> list[Version]:
    """Minor versions of torch, oldest first: the requested ones, or all."""
    missing = set(wanted) - served
    if missing:
        raise ValueError(
            f"torch {', '.join(map(str, sorted(missing)))} is not served for these Pythons; choose from "
            + ", ".join(map(str, sorted(served)))
        )
    return sorted(wanted or served)


class Session:
    """One run: a folder with copies of the sources and the tests, wheels and logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tests = folder / "tests"
        self.logs = folder / "logs"
        self.wheels: dict[Interpreter, Path] = {}
        self.built_with: dict[Interpreter, Version] = {}
        source = folder / "source"
        for copy in (source, self.tests):
            shutil.rmtree(copy, ignore_errors=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        source.mkdir()
        unwanted = shutil.ignore_patterns("*.so", "__pycache__")
        for name in SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / name, ignore=unwanted)
            else:
                shutil.copy(ROOT / name, source)
        shutil.copytree(ROOT / "tests", self.tests, ignore=unwanted)

    def build(self, python: Interpreter, torch: Version, uv: Uv) -> None:
        log = self.new_log(f"build-python-{minor(python.version)}")
        constraint = self.folder / "build-constraint.txt"
        constraint.write_text(f"torch=={torch}\n")
        wheels = self.folder / f"wheels-python-{minor(python.version)}"
        shutil.rmtree(wheels, ignore_errors=True)
        source = self.folder / "source"
        shutil.rmtree(source / "build", ignore_errors=True)
        command = ("build", "--wheel", "--python", python.path, "--out-dir", wheels)
        try:
            uv(*command, "--build-constraints", constraint, source, log=log)
        except CommandFailed:
            sys.exit(f"building for Python {python.version} failed; the compiler's output: {log}")
        (self.wheels[python],) = wheels.glob("*.whl")
        self.built_with[python] = torch

    def outcome(
        self, python: Interpreter, torch: Version, release: Version | None, uv: Uv
    ) -> Outcome:
        """The outcome for the newest release of a torch; None means that the index serves none for this Python."""
        outcome = Outcome(
            torch=str(release or torch),
            python=python.version,
            system=f"{platform.system()} {platform.machine()}",
            date=date.today().isoformat(),
        )
        if release is None:
            return replace(outcome, no_wheel=True)
        outcome = replace(outcome, built_with=str(self.built_with[python]))
        versions = f"torch-{torch}-python-{minor(python.version)}"
        log = self.new_log(versions)
        with removed_afterwards(self.folder / versions) as environment:
            program = environment / "bin/python"
            packages = (f"torch=={release}", self.wheels[python], *TEST_PACKAGES)
            try:
                uv("venv", "--allow-existing", "--python", python.path, environment, log=log)
                install = ("pip", "install", "--only-binary", ":all:", "--python", program)
                uv(*install, *packages, log=log)
            except CommandFailed:
                return replace(outcome, problem=f"does not install: {last_words(log)}")
            try:
                run(program, "-c", PROBE, log=log, cwd=self.tests)
            except CommandFailed:
                return replace(outcome, problem=f"does not load: {last_words(log)}")
            lines = log.read_text().splitlines()
            loaded = json.loads(next(line for line in reversed(lines) if line.startswith("{")))
            if not Path(loaded["file"]).resolve().is_relative_to(environment):
                sys.exit(f"{loaded['file']} would be tested; expected the one in {environment}")
            report, problem = self.pytest(program, log)
            versions_found = {"torch": loaded["torch"], "numpy": loaded["numpy"]}
            return replace(outcome, **versions_found, report=report, problem=problem)

    def pytest(self, program: Path, log: Path) -> tuple[Report, str]:
        junit = log.with_suffix(".xml")
        junit.unlink(missing_ok=True)
        options = ("-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", "--tb=short")
        parallel = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadscope")
        left_out = [f"--deselect={test}" for test in NOT_CORE]
        report = f"--junitxml={junit}"
        command = (program, "-m", "pytest", *options, *parallel, *left_out, report, *CORE_TESTS)
        problem = ""
        try:
            run(*command, log=log, cwd=self.tests, limit_s=PYTEST_LIMIT_S)
        except subprocess.TimeoutExpired:
            problem = f"pytest did not end within {PYTEST_LIMIT_S} s"
        except CommandFailed as error:
            if error.status != 1:  # 1: some tests failed, and the report says which
                problem = f"pytest ended with exit status {error.status}"
        if not junit.exists():
            return Report(), problem or "pytest wrote no report"
        return results.read_report(junit), problem

    def new_log(self, name: str) -> Path:
        log = self.logs / f"{name}.log"
        log.unlink(missing_ok=True)
        return log


def last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text().splitlines()]
    said = [line for line in lines if line and not line.startswith("#")]
    return said[-1][: results.LONGEST_MESSAGE]


def check_free_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free / 2**30
    if free < FREE_GIB:
        sys.exit(
            f"{folder} has {free:.1f} GiB free; one torch at a time needs {FREE_GIB} GiB: "
            "choose another place with --folder"
        )


def minor_version(text: str) -> Version:
    if text != str(minor(text)):
        raise argparse.ArgumentTypeError(f"expected a version like 2.15, got {text!r}")
    return Version(text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--torch",
        action="append",
        type=minor_version,
        default=[],
        metavar="2.N",
        help="only this one; may be repeated (default: all from 2.10 on)",
    )
    parser.add_argument(
        "--python",
        action="append",
        metavar="VERSION|PATH",
        help=f"only this one; may be repeated (default: those of {', '.join(PYTHONS)} that are installed)",
    )
    parser.add_argument("--folder", type=Path, help="holds all files (default: a temporary folder)")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="swapnas-versions-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    check_free_disk(folder)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as after Ctrl-C
    try:
        served = find_served(options.python or PYTHONS, folder)
        if not served:
            sys.exit("none of these Pythons can be tested; give the path of one: --python PATH")
        try:
            torches = chosen(set().union(*served.values()), options.torch)
        except ValueError as error:
            sys.exit(str(error))
        failed = test_all(Session(folder), served, torches)
    except KeyboardInterrupt:
        sys.exit(f"\nstopped; what was done is in {JSON.relative_to(ROOT)}")
    print(f"logs: {folder / 'logs'}\ntable: {TABLE.relative_to(ROOT)}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def find_served(pythons: Sequence[str], folder: Path) -> dict[Interpreter, dict[Version, Version]]:
    """For each installed Python the newest release of each minor version of torch."""
    served = {}
    with removed_afterwards(folder / "index-cache") as cache:
        uv = Uv(cache)
        for wanted in pythons:
            python = find_python(wanted, uv)
            if python is None:
                continue
            releases = served_torches(partial(newest_in_index, python=python, uv=uv))
            if releases:
                served[python] = {minor(release): release for release in releases}
            else:
                print(f"Python {python.version} is left out: no torch is served for it", flush=True)
    return served


def test_all(
    session: Session, served: dict[Interpreter, dict[Version, Version]], torches: list[Version]
) -> list[str]:
    """Torch by torch, so that each is downloaded once and removed. Returns which failed."""
    failed = []
    number = 0
    oldest = {python: min(versions) for python, versions in served.items()}
    for torch in sorted({*oldest.values(), *torches}):
        with removed_afterwards(session.folder / f"torch-{torch}-cache") as cache:
            uv = Uv(cache)
            for python, versions in served.items():
                begin = time.monotonic()
                if torch == oldest[python]:
                    print(f"Python {python.version}: building with torch {torch}", flush=True)
                    session.build(python, versions[torch], uv)
                    print(f"Python {python.version}: built, {seconds_since(begin)}", flush=True)
                if torch in torches:
                    begin = time.monotonic()
                    number += 1
                    name = f"torch {versions.get(torch, torch)}, Python {python.version}"
                    print(f"{name} ({number} of {len(torches) * len(served)}): begin", flush=True)
                    outcome = session.outcome(python, torch, versions.get(torch), uv)
                    results.write(results.merged(results.read(JSON), [outcome]), JSON, TABLE)
                    print(f"{name}: {outcome}, {seconds_since(begin)}", flush=True)
                    failed += [name] if outcome.failed else []
                # Only this Python needs these; the next one needs the rest.
                uv("cache", "clean", "torch", "triton", log=session.logs / "cache.log")
    return failed


if __name__ == "__main__":
    main()
