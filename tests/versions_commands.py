"""Commands for ``versions.py`` and ``wheels.py``: Pythons, versions of torch and environments, through uv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version
from versions_results import minor

OLDEST_TORCH = Version("2.10")
# The tests must use the installed package, and be the same everywhere.
NOT_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "PYTEST_ADDOPTS", "VIRTUAL_ENV", "SWAPNAS_DATA")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON},
    "OMP_NUM_THREADS": "1",
    "SWAPNAS_CUDA": "0",
    "UV_NO_PROGRESS": "1",
    "UV_PYTHON_DOWNLOADS": "never",
}


class CommandFailed(Exception):
    def __init__(self, command: str, status: int) -> None:
        super().__init__(f"exit status {status} of: {command}")
        self.status = status


@dataclass(frozen=True)
class Interpreter:
    path: str
    version: str


@dataclass(frozen=True)
class Uv:
    """uv with a separate cache, which decides what is downloaded again."""

    cache: Path

    def __call__(self, *arguments: str | Path, log: Path, **environment: str) -> None:
        run(uv_program(), *arguments, log=log, **environment, UV_CACHE_DIR=str(self.cache))

    def ask(
        self, *arguments: str | Path, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = {**ENVIRONMENT, "UV_CACHE_DIR": str(self.cache)}
        return subprocess.run(
            [uv_program(), *arguments], input=text, capture_output=True, text=True, env=environment
        )


def uv_program() -> str:
    beside_python = Path(sys.executable).parent / "uv"
    found = str(beside_python) if beside_python.exists() else shutil.which("uv")
    if found is None:
        sys.exit("uv is needed; run: make test-versions, make wheels, or pip install uv")
    return found


def run(
    *command: str | Path,
    log: Path,
    cwd: Path | None = None,
    limit_s: float | None = None,
    **environment: str,
) -> None:
    """Runs a command and appends its output to the log."""
    text = " ".join(map(str, command))
    with log.open("a") as output:
        print(f"$ {text}", file=output, flush=True)
        begin = time.monotonic()
        done = subprocess.run(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**ENVIRONMENT, **environment},
            cwd=cwd,
            timeout=limit_s,
        )
        print(f"# {seconds_since(begin)}", file=output)
    if done.returncode:
        raise CommandFailed(text, done.returncode)


def seconds_since(begin: float) -> str:
    return f"{time.monotonic() - begin:.0f} s"


@contextmanager
def removed_afterwards(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)  # from a killed run
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_python(wanted: str, uv: Uv) -> Interpreter | None:
    """A Python by version or path; None, with a message, if it is not installed."""
    found = uv.ask("python", "find", "--system", wanted)
    if found.returncode:
        reason = found.stderr.removeprefix("error: ").partition("\n")[0]
        print(f"Python {wanted} is left out: {reason}", flush=True)
        return None
    path = found.stdout.strip()
    code = "import platform; print(platform.python_version())"
    version = subprocess.run([path, "-c", code], check=True, capture_output=True, text=True).stdout
    return Interpreter(path, version.strip())


def newest_in_index(requirement: str, python: Interpreter, uv: Uv) -> Version | None:
    """The newest release that meets the requirement and has a wheel for this Python and system."""
    options = ("--only-binary", ":all:", "--prerelease", "disallow", "--no-deps")
    output = ("--no-header", "--no-annotate", "--quiet")
    done = uv.ask(
        "pip", "compile", *options, *output, "--python", python.path, "-", text=requirement
    )
    if done.returncode == 1:  # no solution; 2 means that the index was not reached
        return None
    if done.returncode:
        sys.exit(f"the package index could not be asked for {requirement}: {done.stderr.strip()}")
    return Version(done.stdout.partition("==")[2].strip())


def served_torches(newest: Callable[[str], Version | None]) -> list[Version]:
    """The newest patch of each minor version, oldest first.

    Args:
        newest: gives the newest torch that meets a requirement, or None.
    """
    found: list[Version] = []
    below = ""
    while (torch := newest(f"torch>={OLDEST_TORCH}{below}")) is not None:
        found.insert(0, torch)
        below = f",<{minor(torch)}"
    return found
