"""Interleaved A/B measurements under pytest-benchmark.

pytest-benchmark times and stores ours. The other side is timed between its rounds, in the same process,
so that a noisy machine disturbs both equally. The result is the ratio of the medians.
"""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from interleaved import Work, seconds
from pytest_benchmark.fixture import BenchmarkFixture

import swapnas_ext as swap

RESULTS = Path(__file__).parent / "results"


class Comparison:
    """Times ours against others, and records the ratio with its required bound."""

    def __init__(self, benchmark: BenchmarkFixture, rows: list[dict[str, Any]]) -> None:
        self._benchmark = benchmark
        self._rows = rows

    def __call__(
        self,
        work: str,
        ours: Work,
        others: dict[str, Work],
        *,
        rounds: int,
        at_least: float | None = None,
        within: float | None = None,
        other_every: int = 1,
        **notes: Any,
    ) -> None:
        """``at_least``: how many times as long the best other must take; ``within``: how many times as
        long ours may take. A slow other is timed only in one of ``other_every`` rounds."""
        for warm_up in (ours, *others.values()):
            warm_up()
        times: dict[str, list[float]] = {name: [] for name in others}
        rounds_done = 0

        def time_others() -> None:
            nonlocal rounds_done
            if rounds_done % other_every == 0:
                for name, other in others.items():
                    times[name].append(seconds(other))
            rounds_done += 1

        self._benchmark.pedantic(ours, setup=time_others, rounds=rounds)
        mine = self._benchmark.stats.stats.median
        medians = {name: statistics.median(values) for name, values in times.items()}
        best = min(medians, key=lambda name: medians[name])
        ratio = medians[best] / mine if at_least is not None else mine / medians[best]
        bound = at_least if at_least is not None else within
        kept = bound is None or (ratio >= bound if at_least is not None else ratio <= bound)
        row = {
            "work": work,
            "ours_ms": 1e3 * mine,
            "others_ms": {name: 1e3 * median for name, median in medians.items()},
            "against": best,
            "ratio": ratio,
            "bound": f">= {at_least}" if at_least is not None else f"<= {within}",
            "kept": kept,
            **notes,
        }
        self._rows.append(row)
        sign = ">=" if at_least is not None else "<="
        print(
            f"\n{work}: {1e3 * mine:.3f} ms, {best} {1e3 * medians[best]:.3f} ms, "
            f"ratio {ratio:.2f} (bound {sign} {bound}: {'kept' if kept else 'MISSED'})"
        )


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> Any:
    """The rows of one benchmark file, written to results/ when it ends."""
    collected: list[dict[str, Any]] = []
    yield collected
    if not collected:
        return
    machine = {
        "processor": _processor(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **swap.build_info(),
    }
    name = Path(request.node.path).stem.removeprefix("bench_")
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine, "rows": collected}, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text)


@pytest.fixture
def compare(benchmark: BenchmarkFixture, rows: list[dict[str, Any]]) -> Comparison:
    return Comparison(benchmark, rows)


@pytest.fixture
def compare_several(benchmark: BenchmarkFixture, rows: list[dict[str, Any]]) -> Callable[..., None]:
    """For several comparisons in one test, each interleaved; pytest-benchmark keeps the first."""
    first = Comparison(benchmark, rows)

    def compare(work: str, ours: Work, others: dict[str, Work], **arguments: Any) -> None:
        if benchmark.stats is None:
            return first(work, ours, others, **arguments)
        return Comparison(_Stopwatch(), rows)(work, ours, others, **arguments)

    return compare


class _Stopwatch:
    """The part of pytest-benchmark's fixture that `Comparison` uses."""

    def pedantic(self, work: Work, setup: Callable[[], None], rounds: int) -> None:
        times = []
        for _ in range(rounds):
            setup()
            times.append(seconds(work))
        self.stats = SimpleNamespace(stats=SimpleNamespace(median=statistics.median(times)))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
