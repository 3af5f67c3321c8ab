"""Writes the tables and cells of swapnas_ext/examples from the whole NAS-Bench-201.

python benchmarks/example_files.py nasbench201_cifar10.csv
"""

from __future__ import annotations

import csv
import random
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import swapnas_ext as swap

SEED = 201
DRAWN = 256
BEST = 64
CELLS = 8
_ACCURACIES = {"val_cifar10": "val_cifar10", "test_cifar10": "test_cifar10_mean"}


def write(name: str, rows: Sequence[dict[str, object]]) -> None:
    with open(swap.examples.path(name), "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    with open(sys.argv[1], newline="") as file:
        whole = list(csv.DictReader(file))
    space = swap.spaces.get("nasbench201")
    if {row["arch_str"] for row in whole} != set(space):
        raise ValueError(f"{sys.argv[1]}: expected all {len(space):,} cells")
    whole.sort(key=lambda row: int(row["nb201_idx"]))

    drawn = sorted(random.Random(SEED).sample(range(len(whole)), DRAWN))
    rows = [_row(whole[place]) for place in drawn]
    write("nasbench201", rows)

    by_form: dict[str, list[float]] = defaultdict(list)
    for row in whole:
        by_form[space.canonical(row["arch_str"])].append(float(row["test_cifar10_mean"]))
    best = sorted(whole, key=lambda row: -float(row["test_cifar10_mean"]))[:BEST]
    listed = []
    for rank, row in enumerate(best, 1):
        alike = by_form[space.canonical(row["arch_str"])]
        mean = f"{statistics.fmean(alike):.4f}"
        listed.append(
            {"rank": rank, **_row(row), "isomorphic": len(alike), "isomorphic_mean": mean}
        )
    write("nasbench201-best", listed)

    cells = [str(row["architecture"]) for row in rows[:: DRAWN // CELLS]]
    heading = "# Every 32nd cell of nasbench201.csv"
    Path(swap.examples.path("cells")).write_text("\n".join([heading, *cells]) + "\n")


def _row(row: dict[str, str]) -> dict[str, object]:
    accuracies = {name: row[column] for name, column in _ACCURACIES.items()}
    return {"index": row["nb201_idx"], "architecture": row["arch_str"], **accuracies}


if __name__ == "__main__":
    main()
