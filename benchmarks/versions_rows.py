"""The short set of benchmarks by which versions are compared, and what each is measured against in the same process.

Only what the package offers publicly is used, so that older versions have these rows too. A row that a version lacks
raises an error there.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from published import published_count, published_way
from torch import Tensor, nn

import swapnas_ext as swap

Clock = Callable[[], float]
"""Works once, and returns the seconds that it took."""

CELLS = {
    "convolutions": "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "mixed": "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_1x1~0|avg_pool_3x3~1|skip_connect~2|",
    "small": "|nor_conv_1x1~0|+|skip_connect~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|",
}
_CELL = [
    *(("sep_conv_5x5", 0), ("sep_conv_3x3", 0), ("avg_pool_3x3", 2), ("sep_conv_3x3", 0)),
    *(("sep_conv_3x3", 3), ("avg_pool_3x3", 1), ("sep_conv_5x5", 0), ("sep_conv_5x5", 2)),
]
GENOTYPE = (
    f"Genotype(normal={_CELL}, normal_concat=[2, 3, 4, 5], reduce={_CELL}, "
    "reduce_concat=[2, 3, 4, 5])"
)
REPEATS = 32
CANDIDATES = 40


@dataclass(frozen=True)
class Row:
    """A benchmark that is ready to run.

    Args:
        ours: the work of the package.
        yardstick: what it is measured against.
        yardstick_name: names it.
        result: what the work computes, as JSON. Two versions should agree on it.
    """

    ours: Clock
    yardstick: Clock
    yardstick_name: str
    result: Any


def timed(work: Callable[[], object]) -> Clock:
    def clock() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return clock


def half_distinct(samples: int, neurons: int) -> Tensor:
    """Every pattern twice, in random places."""
    torch.manual_seed(0)
    columns = torch.relu(torch.randn(samples, neurons // 2))
    return torch.cat([columns, columns[:, torch.randperm(neurons // 2)]], dim=1)


def count(xs: list[Tensor], samples: int) -> Row:
    return Row(
        timed(lambda: swap.count_patterns(*xs)),
        timed(lambda: published_count(xs, samples)),
        "cat+sign+unique",
        swap.count_patterns(*xs),
    )


def count_of_layers() -> Row:
    torch.manual_seed(0)
    return count([torch.relu(torch.randn(16, 3, 32, 32)) for _ in range(14)], 16)


def count_large(samples: int, neurons: int) -> Row:
    return count([half_distinct(samples, neurons)], samples)


def insert() -> Row:
    torch.manual_seed(0)
    x, counter = torch.randn(16, 1 << 20), swap.PatternCounter(16)
    counter.update(x)
    return Row(timed(lambda: counter.update(x)), timed(lambda: x.sum()), "x.sum()", counter.count())


def relu_insert() -> Row:
    torch.manual_seed(0)
    x, counter = torch.randn(16, 1 << 20), swap.PatternCounter(16)
    counter.relu(x)
    return Row(
        timed(lambda: counter.relu(x)),
        timed(lambda: torch.relu(x)),
        "torch.relu",
        counter.count(),
    )


def score(cell: str) -> Row:
    torch.manual_seed(0)
    model: nn.Module = swap.spaces.get("nasbench201").build(CELLS[cell]).train()
    inputs = swap.data.photograph(16)
    scorer = swap.Scorer(inputs)

    def forward() -> None:
        with torch.no_grad():
            model(inputs)

    return Row(
        timed(lambda: scorer(model)),
        timed(forward),
        "bare forward",
        list(scorer(model).patterns),
    )


def repeats() -> Row:
    space, inputs = swap.spaces.get("darts"), swap.data.photograph(16)
    scorer = swap.Scorer(inputs, init="gaussian", repeats=REPEATS)
    build = partial(space.build, GENOTYPE, initialized=False)
    return Row(
        timed(lambda: scorer(build)),
        timed(lambda: published_way(partial(space.build, GENOTYPE), inputs, REPEATS)),
        "published way",
        list(scorer(build).patterns),
    )


def search() -> Row:
    space = swap.spaces.get("darts")
    inputs = space.inputs(16)
    scorer = swap.Scorer(inputs, init="gaussian", seed=1)
    settings = swap.search.SearchSettings(candidates=CANDIDATES, seed=1)

    def published() -> None:
        for candidate in found.candidates:
            published_way(partial(space.build, candidate.architecture), inputs, 1)

    found = swap.search.search(space, scorer, settings)
    return Row(
        timed(lambda: swap.search.search(space, scorer, settings)),
        timed(published),
        "published way",
        [found.best.architecture, round(found.best.score, 6)],
    )


_IMPORTER = """
import os, sys, time
start = time.perf_counter()
import torch, numpy
print(time.perf_counter() - start, flush=True)
for _ in sys.stdin:
    if os.fork() == 0:
        start = time.perf_counter()
        import swapnas_ext
        print(time.perf_counter() - start, flush=True)
        os._exit(0)
    os.wait()
"""


class Importer:
    """A process that has imported torch. Forks of it import the package, each for the first time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _IMPORTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.of_torch = self._seconds()

    def of_package(self) -> float:
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return self._seconds()

    def _seconds(self) -> float:
        assert self._process.stdout is not None
        return float(self._process.stdout.readline())


def importing() -> Row:
    """The package beyond torch and numpy, in fresh processes."""
    importer = Importer()  # ends with this process, whose end closes its input
    return Row(importer.of_package, lambda: importer.of_torch, "import of torch, once", None)


ROWS: dict[str, Callable[[], Row]] = {
    "count S=16 V=43,008": count_of_layers,
    "count S=32 V=1,500,000": partial(count_large, 32, 1_500_000),
    "count S=64 V=500,000": partial(count_large, 64, 500_000),
    "count S=128 V=500,000": partial(count_large, 128, 500_000),
    "insert S=16, 64 MiB": insert,
    "ReLU + insert S=16, 64 MiB": relu_insert,
    **{f"score, NAS-Bench-201 {cell}": partial(score, cell) for cell in CELLS},
    f"DARTS cell, {REPEATS} repeats with build": repeats,
    f"DARTS search, {CANDIDATES} candidates": search,
    "import, beyond torch": importing,
}
