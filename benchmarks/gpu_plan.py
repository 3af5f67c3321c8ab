"""The steps of `gpu.py`, the most valuable first, with time limits for a machine with a GPU."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gpu_binary import tool
from gpu_runner import Step

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS, TESTS = ROOT / "benchmarks", ROOT / "tests"

# Names of `gpu_figures`, most seconds, and least seconds worth a start. They are here because that module
# imports torch; a test compares them with its own.
FIGURES = (
    ("agreements", 20, 5),
    ("maps", 30, 8),
    ("insert-float32-16", 40, 5),
    ("insert-float32-32", 40, 5),
    ("insert-float32-128", 30, 5),
    ("insert-float32-64", 30, 5),
    ("count", 40, 5),
    ("forward-nasbench201", 40, 10),
    ("forward-darts", 40, 10),
    ("forward-resnet50", 40, 12),
    ("insert-bfloat16-32", 30, 5),
    ("repeats", 40, 8),
    ("beyond-31-bits", 40, 8),
    ("forward-vit", 40, 12),
    ("search", 45, 20),
)
PROFILED = (
    ("profile-float32-16", "profile-float32-32"),
    ("profile-bfloat16-32", "profile-float32-64", "profile-float32-128"),
)
_SECTIONS = (
    "SpeedOfLight",
    "MemoryWorkloadAnalysis",
    "Occupancy",
    "SchedulerStats",
    "WarpStateStats",
    "LaunchStats",
)
_SANITIZERS = "sanitizers"
# Figures that take long and change little, after the tests.
_LAST = ("forward-vit", "search")


def python(*arguments: str | Path) -> list[str]:
    return [sys.executable, *map(str, arguments)]


def pytest(*arguments: str) -> list[str]:
    return python(
        "-m", "pytest", "-v", "--tb=short", "--color=no", "-p", "no:cacheprovider", *arguments
    )


def steps(out: Path, *, dry_run: bool) -> list[Step]:
    """All need the binary: `gpu` adds the environment that finds it."""
    planned = _steps(out, dry_run)
    # The limits are for a machine with a GPU; a dry run may use any machine, even a busy one.
    return [replace(step, limit=math.inf) for step in planned] if dry_run else planned


def _steps(out: Path, dry_run: bool) -> list[Step]:
    # A dry run has two cores for both; on a GPU, a failing check must not disturb the other.
    checks = "checks" if dry_run else None
    return [
        Step(
            "kernels against the reference",
            python(
                TESTS / "cuda_sanitize.py",
                *(["--device", "cpu", "--cases", "few"] if dry_run else []),
            ),
            TESTS,
            limit=60,
            least=10,
            group=checks,
        ),
        Step("test_cuda", pytest("test_cuda.py"), TESTS, limit=90, least=15, group=checks),
        *(sanitizer(kind) for kind in ("memcheck", "racecheck", "synccheck")),
        *(all_figures_at_once() if dry_run else figures(last=False)),
        Step(
            "CUDA half of test_counter and test_ops",
            pytest("-k", "cuda", "patterns/test_counter.py", "patterns/test_ops.py"),
            TESTS,
            limit=120,
            least=20,
            file=out / "gpu-tests.txt",
        ),
        *([] if dry_run else figures(last=True)),
        *(profile(names, out) for names in PROFILED),
    ]


def figures(*, last: bool) -> list[Step]:
    return [
        figure([name], name, limit, least)
        for name, limit, least in FIGURES
        if (name in _LAST) == last
    ]


def all_figures_at_once() -> list[Step]:
    """In one process, which imports torch once: a dry run has two cores, and no CUDA errors."""
    names = [name for name, _, _ in FIGURES]
    names += [name for profiled in PROFILED for name in profiled]
    return [figure([*names, "--dry-run"], "figures", 300, 5)]


def figure(arguments: Sequence[str], name: str, limit: float, least: float) -> Step:
    command = python(BENCHMARKS / "gpu_figures.py", "--wait", *arguments)
    return Step(name, command, TESTS, limit=limit, least=least, waits=True)


def profile(names: Sequence[str], out: Path) -> Step:
    """Leaves the clocks unchanged. ncu prints only at its end, so the most important profile has a separate
    run."""
    command = [
        tool("ncu") or "ncu",
        *("--clock-control", "none", "--kernel-name-base", "demangled"),
        *("--kernel-name", "regex:swapnas.*insert"),
        *(part for section in _SECTIONS for part in ("--section", section)),
        *python(BENCHMARKS / "gpu_figures.py", *names),
    ]
    return Step(
        f"ncu {' '.join(name.removeprefix('profile-') for name in names)}",
        command,
        TESTS,
        limit=60,
        least=20,
        only_on_gpu=True,
        file=out / "gpu-ncu.txt",
    )


def sanitizer(kind: str) -> Step:
    """Does the same as ``make cuda-sanitize``. Only memcheck looks at the bounds of each tensor, for which torch
    must not cache memory; without its cache every allocation is slow."""
    command = [
        tool("compute-sanitizer") or "compute-sanitizer",
        *("--tool", kind, "--error-exitcode", "1", "--kernel-name", "kns=swapnas"),
        *python(TESTS / "cuda_sanitize.py", "--cases", "few"),
    ]
    return Step(
        kind,
        command,
        TESTS,
        limit=75,
        least=25,
        environment={"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"} if kind == "memcheck" else {},
        group=_SANITIZERS,
        only_on_gpu=True,
    )
