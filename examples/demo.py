"""Scores a few dozen NAS-Bench-201 networks on the bundled photograph and prints the ranking.

One call of `Scorer` for each network: its weights are drawn, it runs once on 16 patches of the
photograph, and its distinct activation patterns are counted while it runs.
"""

import random
import time
from functools import partial

from rich.progress import track

import swapnas_ext as swap
from swapnas_ext.report.scores import best_first, score_row, to_table

NETWORKS = 36
SHOWN = 5


def main() -> None:
    space = swap.spaces.get("nasbench201")
    scorer = swap.Scorer(swap.data.photograph(samples=16), init="gaussian", seed=0)
    rng = random.Random(0)
    cells: dict[str, str] = {}  # by canonical form, so that none is scored twice
    while len(cells) < NETWORKS:
        cell = space.sample(rng)
        if space.canonical(cell) != "0":
            cells.setdefault(space.canonical(cell), cell)

    started = time.perf_counter()
    rows = []
    for cell in track(cells.values(), description="Scoring", transient=True):
        rows.append(score_row(cell, scorer(partial(space.build, cell))))
    rows = best_first(rows)
    seconds = time.perf_counter() - started
    print(f"{NETWORKS} NAS-Bench-201 networks, 16 patches of one photograph, no training.\n")
    print(f"The best {SHOWN}:\n{to_table(rows[:SHOWN])}")
    print(f"The last {SHOWN}:\n{to_table(rows[-SHOWN:], first_rank=NETWORKS - SHOWN + 1)}")
    print(f"Built and scored in {seconds:.1f} s on {swap.build_info()['threads']} threads.")


if __name__ == "__main__":
    main()
