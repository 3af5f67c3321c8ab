"""Scoring a NAS-Bench-201 network, against its bare forward pass: time, and memory added."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

import swapnas_ext as swap

CELLS = {
    "convolutions": "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "mixed": "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_1x1~0|avg_pool_3x3~1|skip_connect~2|",
    "small": "|nor_conv_1x1~0|+|skip_connect~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|",
}


@pytest.mark.parametrize("name", CELLS)
def test_score_against_forward(compare: Any, name: str) -> None:
    model = swap.spaces.get("nasbench201").build(CELLS[name])
    model.train()  # as in the published code: the statistics of the mini-batch
    inputs = swap.data.photograph(16)
    scorer = swap.Scorer(inputs)

    def forward() -> None:
        with torch.no_grad():
            model(inputs)

    compare(
        f"score, NAS-Bench-201 {name}",
        lambda: scorer(model),
        {"bare forward": forward},
        rounds=61,
        within=1.05,
    )


MEMORY_PROGRAM = """
import torch
from torch import nn
import swapnas_ext as swap

model = swap.spaces.get("nasbench201").build({cell!r}).train()
torch.manual_seed(0)
inputs = torch.randn({samples}, 3, 32, 32)

def forward():
    with torch.no_grad():
        model(inputs)

def published():
    kept = []
    hooks = [m.register_forward_hook(lambda m, i, o: kept.append(o.detach()))
             for m in model.modules() if isinstance(m, nn.ReLU)]
    forward()
    for hook in hooks:
        hook.remove()
    rows = torch.cat([x.view({samples}, -1) for x in kept], dim=1)
    return torch.unique(torch.sign(rows).T, dim=0).size(0)

def peak_kib():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

for _ in range(3):
    forward()
before = peak_kib()
{{"ours": lambda: swap.score(model, inputs), "published": published}}["{way}"]()
print(peak_kib() - before)
"""


@pytest.mark.parametrize("samples", [16, 32])
def test_peak_memory(rows: list[dict[str, Any]], benchmark: Any, samples: int) -> None:
    """Growth of the peak resident memory by one score, after a forward pass, in fresh processes."""

    def added_kib(way: str) -> int:
        program = MEMORY_PROGRAM.format(cell=CELLS["convolutions"], samples=samples, way=way)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    published = added_kib("published")
    ours = benchmark.pedantic(added_kib, args=("ours",), rounds=1)
    print(f"\npeak memory S={samples}: ours +{ours} KiB, published +{published} KiB")
    rows.append(
        {
            "work": f"peak memory of a score, S={samples}",
            "ours_kib": ours,
            "published_kib": published,
            "ratio": ours / published,
            "bound": "<= 0.05",
            "kept": ours <= published / 20,
        }
    )


def test_rank_correlation(rows: list[dict[str, Any]], benchmark: Any) -> None:
    """Spearman's rho of one-repeat scores with true accuracies, on 500 random cells."""
    import csv
    import os
    import random
    from pathlib import Path

    from scipy.stats import spearmanr

    default = Path(__file__).parents[1] / "../shared/data"
    folder = Path(os.environ.get("SWAPNAS_DATA", default))
    if not (folder / "nasbench201_cifar10.csv").exists():
        pytest.skip("no benchmark tables: set SWAPNAS_DATA to their folder")
    with open(folder / "nasbench201_cifar10.csv", newline="") as file:
        table = random.Random(0).sample(list(csv.DictReader(file)), 500)
    space = swap.spaces.get("nasbench201")
    accuracies = [float(row["val_cifar10"]) for row in table]
    batches = {
        "16 CIFAR-10 images": swap.data.images(folder / "cifar10_train_256.npz", 16),
        "16 patches of the photograph": swap.data.photograph(16),
    }
    for name, inputs in batches.items():
        scorer = swap.Scorer(inputs, init="gaussian")
        scores = [scorer(space.build(row["arch_str"])) for row in table]
        rho = spearmanr(scores, accuracies).statistic
        size = spearmanr([score.parameters for score in scores], accuracies).statistic
        print(f"\nSpearman rho, 500 cells, {name}: {rho:.3f} (parameters alone: {size:.3f})")
        rows.append(
            {"work": f"Spearman rho, {name}", "rho": rho, "rho_of_parameters": size, "cells": 500}
        )
    benchmark.pedantic(lambda: scorer(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())), rounds=1)
