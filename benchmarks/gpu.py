"""Builds, checks and measures swapnas_ext on a machine with a GPU, in under six minutes:

    python benchmarks/gpu.py [--budget SECONDS] [--out FOLDER] [--only NAME ...] [--dry-run]

It uses the torch of the Python that runs it, installs nothing, and needs no network. The most valuable steps
run first; steps that no longer fit the budget are skipped. A step that fails, hangs or dies does not affect the
others. ``FOLDER/gpu-<name of the GPU>.json`` always holds all results so far; ``gpu.log`` has the whole output,
``gpu-ncu.txt`` the report of ncu, ``gpu-tests.txt`` the output of the large test suite.

``--dry-run`` runs every step without a GPU: the same code on the CPU, at tiny sizes.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import os
import resource
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gpu_plan
from gpu_binary import NO_GPU
from gpu_plan import BENCHMARKS, ROOT, TESTS, python
from gpu_results import Results
from gpu_runner import Outcome, Runner, Step


class Run:
    """One run, from the machine to the last step."""

    def __init__(self, budget: float, out: Path, only: list[str], *, dry_run: bool) -> None:
        out.mkdir(parents=True, exist_ok=True)
        for name in ("gpu-ncu.txt", "gpu-tests.txt"):  # of an earlier run
            (out / name).unlink(missing_ok=True)
        self.results: Results | None = None
        self._machine: dict[str, Any] = {"gpu": "unknown", "budget_seconds": budget}
        self._early: list[Outcome] = []
        self._dry_run = dry_run
        self._out = out
        self._only = only
        self.failed = False
        self.runner = Runner(budget, out / "gpu.log", self._told, self._done, dry=dry_run)

    def all(self) -> None:
        machine = self._ask("versions", {}, limit=150)
        self._open_results()
        if not machine.passed:
            return
        package = self._package()
        if package is None:
            self.failed = True
            self.runner.say("no binary of swapnas_ext works here, so there is nothing to measure")
            return
        steps = gpu_plan.steps(self._out, dry_run=self._dry_run)
        if self._only:
            names = ", ".join(step.name for step in steps)
            steps = [step for step in steps if any(name in step.name for name in self._only)]
            if not steps:
                self.failed = True
                self.runner.say(
                    f"no step has {' or '.join(self._only)} in its name; there are: {names}"
                )
        self.runner.run(
            [replace(step, environment={**package, **step.environment}) for step in steps]
        )

    # ---- which swapnas_ext -----------------------------------------------------------------------

    def _package(self) -> dict[str, str] | None:
        """The environment that imports a working swapnas_ext: the checkout if it has a binary for this
        Python, else an installed one, else the checkout after building it here."""
        own = {"PYTHONPATH": python_path(ROOT)}
        binary = binary_of_checkout()
        if binary is None:
            self.runner.say(f"the checkout has no binary for {sys.implementation.cache_tag}")
        elif self._ask("binary", own, limit=60).passed:
            self.runner.say(f"using the checkout, with {binary}")
            return own
        installed = {"PYTHONPATH": python_path()}
        probe = self._ask("binary", installed, limit=60, name="installed binary", may_fail=True)
        if probe.passed:
            self.runner.say("using the swapnas_ext that is installed, not the checkout")
            return installed
        arch = NO_GPU if self._dry_run else self._machine["arch"]
        build = Step(
            "build",
            python(BENCHMARKS / "gpu_binary.py", "--arch", arch),
            TESTS,
            limit=150,
            least=20,
        )
        if not self.runner.run([build])[0].passed:
            return None
        if not self._ask("binary", own, limit=60, name="built binary").passed:
            return None
        self.runner.say(f"using the checkout, with {binary_of_checkout()}, just built")
        return own

    def _ask(
        self,
        what: str,
        environment: dict[str, str],
        limit: float,
        name: str | None = None,
        may_fail: bool = False,
    ) -> Outcome:
        command = python(
            BENCHMARKS / "gpu_machine.py", what, *(["--dry-run"] if self._dry_run else [])
        )
        step = Step(name or what, command, TESTS, limit, least=5, environment=environment)
        failed = self.failed
        (outcome,) = self.runner.run([step])
        if may_fail:
            self.failed = failed
        return outcome

    # ---- results ---------------------------------------------------------------------------------

    def _open_results(self) -> None:
        self.results = Results(self._out, self._machine["gpu"], self._machine)
        for outcome in self._early:
            self.results.add_step(outcome.as_json())

    def _told(self, kind: str, content: dict[str, Any]) -> None:
        if kind == "row" and self.results is not None:
            self.results.add_row(content)
        elif kind == "machine":
            self._machine |= content
            if self.results is not None:
                self.results.describe(**content)

    def _done(self, outcome: Outcome) -> None:
        if outcome.state in ("failed", "timed out"):
            self.failed = True
        if self.results is None:
            self._early.append(outcome)
        else:
            self.results.add_step(outcome.as_json())

    def conclude(self, **about: Any) -> None:
        if self.results is None:
            self._open_results()
        self.results.describe(**about)
        self.runner.say("\n" + self.results.summary())
        self.runner.say(
            f"\nwritten to {self.results.path}, {max(0.0, self.runner.left):.0f} s left"
        )


def binary_of_checkout() -> Path | None:
    names = (f"_C{suffix}" for suffix in importlib.machinery.EXTENSION_SUFFIXES)
    return next((path for name in names if (path := ROOT / "swapnas_ext" / name).exists()), None)


def python_path(*first: Path) -> str:
    """PYTHONPATH with the folders in ``first``, and without the checkout unless it is one of them."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in given if entry and Path(entry).resolve() != ROOT]
    return os.pathsep.join([*map(str, first), *kept])


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budget", type=float, default=330.0, help="total seconds (default: 330)")
    parser.add_argument("--out", type=Path, help="folder for results (default: benchmarks/results)")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="only steps with this in their name"
    )
    parser.add_argument("--dry-run", action="store_true", help="run without a GPU, at tiny sizes")
    arguments = parser.parse_args()
    default = ROOT / "build/gpu-dry-run" if arguments.dry_run else BENCHMARKS / "results"
    out = (arguments.out or default).resolve()
    resource.setrlimit(
        resource.RLIMIT_CORE, (0, 0)
    )  # the core of a process with a GPU takes long to write
    signal.signal(signal.SIGTERM, interrupt)
    run = Run(arguments.budget, out, arguments.only, dry_run=arguments.dry_run)
    try:
        run.all()
        ended = "complete"
    except KeyboardInterrupt:
        ended = "interrupted"
    run.conclude(ended=ended)
    if ended == "interrupted":
        sys.exit(130)
    sys.exit(run.failed)


if __name__ == "__main__":
    main()
