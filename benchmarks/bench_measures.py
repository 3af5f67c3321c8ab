"""The cost of each measure, and of several together, beside that of the published score alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from bench_score import CELLS, GENOTYPES
from interleaved import medians_of_interleaved

import swapnas_ext as swap

swap.keep_freed_memory()

PUBLISHED = "swap"
MEASURES = (
    PUBLISHED,
    "nwot",
    "swap,nwot",
    "capacity",
    "swap,capacity",
    "swap,nwot,capacity",
    "composite",
)
NETWORKS = {
    **{f"NAS-Bench-201 {name}": ("nasbench201", cell) for name, cell in CELLS.items()},
    **{f"DARTS cell {name}": ("darts", GENOTYPES[name]) for name in "AC"},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_measures(rows: list[dict[str, Any]], benchmark: Any, name: str) -> None:
    """Of a network that the caller keeps, with the weights that it has, on 16 images."""
    space, architecture = NETWORKS[name]
    model = swap.spaces.get(space).build(architecture)
    inputs = swap.data.photograph(16)
    works = {measure: partial(swap.Scorer(inputs, measure=measure), model) for measure in MEASURES}
    medians = medians_of_interleaved(works, rounds=31)
    benchmark.pedantic(works[PUBLISHED], rounds=3)
    ratios = {measure: median / medians[PUBLISHED] for measure, median in medians.items()}
    print(f"\nmeasures, {name}: {ratios}")
    rows.append(
        {
            "work": f"measures, {name}",
            "medians_ms": {measure: 1e3 * median for measure, median in medians.items()},
            "against_published": ratios,
            "bound": "swap,nwot <= 1.05",
            "kept": ratios["swap,nwot"] <= 1.05,
        }
    )
