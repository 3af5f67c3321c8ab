"""Time and memory of a count grow linearly with V * S, over three decades: numbers and a plot."""

from __future__ import annotations

import statistics
from typing import Any

import matplotlib
import torch
from conftest import RESULTS, seconds

import swapnas_ext as swap

matplotlib.use("Agg")
import matplotlib.pyplot as plt

NEURONS = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000]
SAMPLES = [16, 32, 64]


def set_bytes(counter: swap.PatternCounter) -> int:
    return counter._table.numel() * counter._table.element_size()


def test_growth(rows: list[dict[str, Any]], benchmark: Any) -> None:
    figure, (time_axis, memory_axis) = plt.subplots(1, 2, figsize=(10, 4))
    for samples in SAMPLES:
        sizes, times, bytes_ = [], [], []
        for neurons in NEURONS:
            torch.manual_seed(0)
            columns = torch.randn(samples, neurons // 2 + 1)
            x = columns[:, torch.randint(columns.shape[1], (neurons,))].contiguous()
            swap.count_patterns(x)
            counter = swap.PatternCounter(samples)
            counter.update(x)
            sizes.append(neurons * samples)
            times.append(
                statistics.median(seconds(lambda x=x: swap.count_patterns(x)) for _ in range(9))
            )
            bytes_.append(set_bytes(counter))
            rows.append(
                {
                    "work": f"growth S={samples} V={neurons:,}",
                    "ms": 1e3 * times[-1],
                    "ps_per_element": 1e12 * times[-1] / sizes[-1],
                    "set_bytes_per_neuron": bytes_[-1] / neurons,
                }
            )
        time_axis.loglog(sizes, [1e3 * t for t in times], "o-", label=f"S = {samples}")
        memory_axis.loglog(sizes, [b / 2**20 for b in bytes_], "o-", label=f"S = {samples}")
    time_axis.set(xlabel="V · S", ylabel="ms", title="count_patterns")
    memory_axis.set(xlabel="V · S", ylabel="MiB", title="memory of the set")
    for axis in (time_axis, memory_axis):
        axis.grid(alpha=0.3)
        axis.legend()
    figure.tight_layout()
    figure.savefig(RESULTS / "growth.png", dpi=110)
    benchmark.pedantic(lambda: swap.count_patterns(x), rounds=3)
