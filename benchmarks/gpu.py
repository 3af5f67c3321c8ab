"""Builds, tests and measures swapnas_ext on a machine with a GPU, in under 8 minutes:

    python benchmarks/gpu.py [--out FOLDER] [--skip-build] [--skip-tests]

Uses the torch of the Python that runs it, and installs nothing else. Writes
``benchmarks/results/gpu-<name of the GPU>.json``: each row is a work, its time, what it is held against,
the ratio and the bound. Times are medians of CUDA events, ours and the others' in turn; graphs are
replayed. The floor of every insert is its bytes read and written over the bandwidth of a copy, which is
measured first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
Work = Callable[[], object]
GIB = 1 << 30
DARTS_V2 = (  # Liu et al., ICLR 2019, second order
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    parser.add_argument("--skip-build", action="store_true", help="measure what is installed")
    parser.add_argument("--skip-tests", action="store_true")
    arguments = parser.parse_args()
    start = time.monotonic()
    if not arguments.skip_build:
        build()
    sys.path.insert(0, str(ROOT))
    tests = None if arguments.skip_tests else run_tests()
    print(f"{time.monotonic() - start:.0f} s so far", flush=True)

    import torch

    import swapnas_ext as swap

    state = swap.build_info()["cuda"]
    if state != "usable":
        sys.exit(f"no measurements without a GPU: {state}")
    measurements = Measurements()
    for measure in (inserts, counts, sets, scored_forwards, repeats):
        measure(measurements)
        torch.cuda.empty_cache()
        print(f"{time.monotonic() - start:.0f} s so far", flush=True)
    write(arguments.out, measurements, tests)
    if tests is not None and tests["exit_status"]:
        sys.exit("some tests failed")


def build() -> None:
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps"]
    environment = {**os.environ, "SWAPNAS_CUDA": "1"}
    subprocess.run([*command, "-e", str(ROOT)], check=True, env=environment)


def run_tests() -> dict[str, Any]:
    """The GPU tests; the others run anywhere."""
    files = [f"tests/test_{name}.py" for name in ("cuda", "counter", "ops")]
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-k", "cuda", *files]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    print(done.stdout[-6000:], done.stderr[-2000:], flush=True)
    return {"exit_status": done.returncode, "summary": done.stdout.strip().splitlines()[-1]}


class Measurements:
    """Rows of results; times on the GPU."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def medians(self, works: dict[str, Work], rounds: int) -> dict[str, float]:
        """Milliseconds of each, in turn, so that a busy machine disturbs all alike."""
        import torch

        times: dict[str, list[float]] = {name: [] for name in works}
        for round_ in range(rounds + 2):  # two to warm up
            for name, work in works.items():
                begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                begin.record()
                work()
                end.record()
                end.synchronize()
                if round_ >= 2:
                    times[name].append(begin.elapsed_time(end))
        return {name: statistics.median(values) for name, values in times.items()}

    def compare(
        self,
        work: str,
        ours: Work,
        others: dict[str, Work],
        *,
        rounds: int = 21,
        at_least: float | None = None,
        within: float | None = None,
        **notes: Any,
    ) -> None:
        """``at_least``: the best other takes so many times as long (0: told, not demanded); ``within``:
        ours takes at most so many times as long."""
        medians = self.medians({"ours": ours, **others}, rounds)
        mine = medians.pop("ours")
        best = min(medians, key=lambda name: medians[name])
        ratio = medians[best] / mine if at_least is not None else mine / medians[best]
        kept = ratio >= at_least if at_least is not None else ratio <= within
        bound = f"<= {within}" if at_least is None else f">= {at_least}" if at_least else ""
        self.rows.append(
            {
                "work": work,
                "ours_ms": mine,
                "others_ms": medians,
                "against": best,
                "ratio": ratio,
                "bound": bound,
                "kept": kept,
                **notes,
            }
        )
        print(
            f"{work}: {mine:.4f} ms, {best} {medians[best]:.4f} ms, ratio {ratio:.3f} "
            f"({bound or 'no bound'}: {'kept' if kept else 'MISSED'})",
            flush=True,
        )


def columns(samples: int, neurons: int, distinct: int, dtype: Any) -> Any:
    """Activations of which each neuron is one of ``distinct`` random columns."""
    import torch

    some = torch.randn(samples, distinct, device="cuda", dtype=dtype)
    return some[:, torch.randint(distinct, (neurons,), device="cuda")].contiguous()


def inserts(measure: Measurements) -> None:
    """ReLU + insert against a copy of the same bytes: as much is read and written."""
    import torch

    import swapnas_ext as swap

    for dtype, samples, bound in (
        (torch.float32, 16, 0.8),
        (torch.float32, 32, 0.6),
        (torch.float32, 64, 0),
        (torch.float32, 128, 0),
        (torch.bfloat16, 16, 0),
        (torch.bfloat16, 32, 0),
    ):
        neurons = GIB // samples // dtype.itemsize
        for kind, x in (
            ("all neurons random", torch.randn(samples, neurons, device="cuda", dtype=dtype)),
            ("100,000 patterns", columns(samples, neurons, 100_000, dtype)),
        ):
            counter = swap.PatternCounter(samples, device="cuda")
            counter.reserve(neurons)
            copy = torch.empty_like(x)

            # The operator: a counter would take each call's neurons for new ones, and grow.
            def fused(table: Any = counter._table, x: Any = x, samples: int = samples) -> None:
                torch.ops.swapnas.relu_insert(table, x, samples, False)

            bytes_moved = 2 * x.numel() * x.element_size()
            before = len(measure.rows)
            measure.compare(
                f"ReLU + insert S={samples} {str(dtype)[6:]}, 1 GiB, {kind}",
                fused,
                {"copy": lambda x=x, copy=copy: copy.copy_(x)},
                at_least=bound,
            )
            row = measure.rows[before]
            row["copy_TBps"] = bytes_moved / row["others_ms"]["copy"] / 1e9
            row["relu_ms"] = measure.medians({"relu": lambda x=x: torch.relu(x)}, 11)["relu"]
            row["into_an_empty_set_ms"] = first_insert(measure, counter, fused)


def first_insert(measure: Measurements, counter: Any, insert: Work) -> float:
    """The time of an insert of which every pattern is new."""
    import torch

    times = []
    for _ in range(7):
        counter._table.zero_()
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        insert()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def published_count(x: Any, samples: int) -> int:
    """The published way: cat, sign, unique."""
    import torch

    rows = torch.cat([x.view(samples, -1)], dim=1)
    return torch.unique(torch.sign(rows).T, dim=0).size(0)


def counts(measure: Measurements) -> None:
    import torch

    import swapnas_ext as swap

    for samples, neurons, bound in ((16, 43_008, 0), (32, 1_500_000, 100), (128, 500_000, 0)):
        x = torch.relu(columns(samples, neurons, neurons // 2, torch.float32))
        found = swap.count_patterns(x)
        if found != published_count(x, samples):
            sys.exit(f"count S={samples} V={neurons} is wrong: {found}")
        measure.compare(
            f"count S={samples} V={neurons:,}",
            lambda x=x: swap.count_patterns(x),
            {"cat+sign+unique": lambda x=x, s=samples: published_count(x, s)},
            rounds=11,
            at_least=bound,
        )


def sets(measure: Measurements) -> None:
    import torch

    for count in (1_500_000, 100_000_000):
        distinct = torch.randint(-(2**31), 2**31 - 1, (count // 2,), device="cuda").int()
        keys = distinct[torch.randint(len(distinct), (count,), device="cuda")]
        others: dict[str, Work] = {"torch.unique": lambda keys=keys: torch.unique(keys)}
        try:
            import cupy

            array = cupy.asarray(keys)
            others["cupy.unique"] = lambda array=array: cupy.unique(array)
        except ImportError:
            print("no CuPy here: compared with torch.unique alone")
        found = torch.ops.swapnas.count_packed(keys, 32, False)[0, 0].item()
        if found != torch.unique(keys).numel():
            sys.exit(f"the set of {count} keys is wrong: {found}")
        measure.compare(
            f"set alone, {count:,} keys of 32 bits",
            lambda keys=keys: torch.ops.swapnas.count_packed(keys, 32, False),
            others,
            rounds=11,
            at_least=3,
        )


def scored_forwards(measure: Measurements) -> None:
    import torch

    import swapnas_ext as swap
    from swapnas_ext.capture import capturing

    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    networks = {
        "NAS-Bench-201": swap.spaces.get("nasbench201").build(cell),
        "DARTS, 36 channels, 8 cells": swap.spaces.get("darts", network="cifar10", layers=8).build(
            DARTS_V2
        ),
    }
    for samples in (16, 128):
        images = torch.randn(samples, 3, 32, 32, device="cuda")
        for name, network in networks.items():
            model = network.cuda().eval()
            counter = swap.PatternCounter(samples, device="cuda")

            def scored(model: Any = model, images: Any = images, counter: Any = counter) -> None:
                counter.reset()
                with capturing(model, counter):
                    model(images)

            def bare(model: Any = model, images: Any = images) -> None:
                model(images)

            with torch.no_grad():
                title = f"{name}, {samples} images"
                others = {"bare forward": bare}
                measure.compare(f"scored forward, {title}", scored, others, rounds=41, within=1.03)
                measure.compare(
                    f"scored forward, {title}, graph",
                    captured(scored),
                    {"bare forward": captured(bare)},
                    rounds=101,
                    within=1.03,
                    patterns=counter.count(),
                )


def repeats(measure: Measurements) -> None:
    """The published workload: 32 initialisations at once, against one after another (as replays)."""
    import torch

    import swapnas_ext as swap

    images = swap.data.photograph(16)
    model = swap.spaces.get("darts").build(DARTS_V2).cuda()
    at_once = swap.Scorer(images, init="gaussian", repeats=32)
    replayed = swap.Scorer(images, init="gaussian", repeats=32, max_memory=1)
    torch.cuda.synchronize()
    measure.compare(
        "DARTS workload, 32 repeats at once",
        lambda: at_once(model),
        {"replays of a graph": lambda: replayed(model)},
        rounds=11,
        at_least=0,
        notes=[*at_once(model).notes, *replayed(model).notes],
    )


def captured(work: Work) -> Work:
    import torch

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def write(folder: Path, measurements: Measurements, tests: dict[str, Any] | None) -> None:
    import torch

    import swapnas_ext as swap

    name = torch.cuda.get_device_name()
    driver = subprocess.run(
        ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    machine = {
        "gpu": name,
        "driver": driver,
        "torch_cuda": torch.version.cuda,
        "platform": platform.platform(),
        "python": platform.python_version(),
        **swap.build_info(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"gpu-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
    content = {"machine": machine, "tests": tests, "rows": measurements.rows}
    file.write_text(json.dumps(content, indent=2) + "\n")
    print(f"written to {file}")


if __name__ == "__main__":
    main()
