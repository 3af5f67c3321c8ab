"""The effect of ``channels_last`` and ``autocast`` on speed and rank correlation."""

from __future__ import annotations

import csv
import os
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr

import swapnas_ext as swap

swap.keep_freed_memory()

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "channels_last": {"channels_last": True},
    "autocast=bfloat16": {"autocast": torch.bfloat16},
    "channels_last, autocast=bfloat16": {"channels_last": True, "autocast": torch.bfloat16},
}
TABLES = {
    "DARTS": ("darts", "darts_cifar10.csv", "genotype", 498),
    "NAS-Bench-201": ("nasbench201", "nasbench201_cifar10.csv", "arch_str", 300),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_options(rows: list[dict[str, Any]], benchmark: Any, name: str) -> None:
    """One repeat; the options take turns on each architecture."""
    space_name, file_name, column, count = TABLES[name]
    folder = Path(os.environ.get("SWAPNAS_DATA", Path(__file__).parents[1] / "../shared/data"))
    if not (folder / file_name).exists():
        pytest.skip("no benchmark tables: set SWAPNAS_DATA to their folder")
    with open(folder / file_name, newline="") as file:
        table = random.Random(0).sample(list(csv.DictReader(file)), count)
    space = swap.spaces.get(space_name)
    images = swap.data.images(folder / "cifar10_train_256.npz", 16)
    scorers = {
        option: swap.Scorer(images, init="gaussian", **arguments)
        for option, arguments in OPTIONS.items()
    }
    scores: dict[str, list[float]] = {option: [] for option in OPTIONS}
    seconds = dict.fromkeys(OPTIONS, 0.0)
    for row in table:
        model = space.build(row[column], initialized=False)
        for option, scorer in scorers.items():
            start = time.perf_counter()
            scores[option].append(float(scorer(model)))
            seconds[option] += time.perf_counter() - start
    benchmark.pedantic(partial(scorers["default"], model), rounds=3)
    accuracies = [float(row["val_cifar10"]) for row in table]
    for option in OPTIONS:
        rho = spearmanr(scores[option], accuracies).statistic
        agreement = spearmanr(scores[option], scores["default"]).statistic
        speed = seconds["default"] / seconds[option]
        print(f"\n{name}, {option}: {speed:.2f}x, rho {rho:.3f}, with default {agreement:.3f}")
        rows.append(
            {
                "work": name,
                "options": option,
                "architectures": count,
                "ms": 1e3 * seconds[option] / count,
                "speed": speed,
                "rho": rho,
                "rho_with_default": agreement,
            }
        )
