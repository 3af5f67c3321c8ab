"""Scores NAS-Bench-201 networks on the bundled photograph, then searches the DARTS space.

One call of `Scorer` for each network draws its weights, runs it once on 16 patches of the
photograph, and counts its distinct activation patterns during the run. The search (SWAP-NAS) uses
such scores as the fitness of an evolution, and writes a run file and a page.
"""

import random
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from rich.progress import track

import swapnas_ext as swap
from swapnas_ext.report.scores.rows import best_first, score_row
from swapnas_ext.report.scores.text import to_text

NETWORKS = 36
SHOWN = 5
CANDIDATES = 1000


def score() -> None:
    space = swap.spaces.get("nasbench201")
    scorer = swap.Scorer(swap.data.photograph(samples=16), init="gaussian", seed=0)
    rng = random.Random(0)
    cells: dict[str, str] = {}  # by canonical form, so that no network is scored twice
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
    print(f"The best {SHOWN}:\n{to_text(rows[:SHOWN])}")
    print(f"The last {SHOWN}:\n{to_text(rows[-SHOWN:], first_rank=NETWORKS - SHOWN + 1)}")
    print(f"Built and scored in {seconds:.1f} s on {swap.build_info()['threads']} threads.\n")


def search() -> None:
    run, page = Path("demo-search.db"), Path("demo-search.html")
    run.unlink(missing_ok=True)  # from an earlier demo
    command = [sys.executable, "-m", "swapnas_ext.cli"]
    options = ["--measure", "swap", "--candidates", str(CANDIDATES), "--seed", "1"]
    options += ["--target-params", "3.3M"]
    print(f"$ swapnas search --space darts {' '.join(options)} --run {run}", flush=True)
    subprocess.run(
        [*command, "search", "--space", "darts", *options, "--run", str(run)], check=True
    )
    print(f"\n$ swapnas show {run} --html {page}", flush=True)
    subprocess.run([*command, "show", str(run), "--html", str(page)], check=True)
    print(f"The page: {page.resolve().as_uri()}")


def main() -> None:
    score()
    search()


if __name__ == "__main__":
    main()
