"""What the package does, in a minute: scores cells whose true accuracies are known, and searches for the best one.

It needs the package alone, no download and no GPU. NAS-Bench-201 (Dong and Yang, ICLR 2020) has trained all of its
15,625 cells; 256 of them, drawn at random, and the best 64 come with the package.
"""

from __future__ import annotations

import csv
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import swapnas_ext as swap
from swapnas_ext import cli
from swapnas_ext._util import cores, rank_correlation
from swapnas_ext.cli.interrupted import INTERRUPTED
from swapnas_ext.cli.progress import progress_bar
from swapnas_ext.spaces import SearchSpace

CANDIDATES = 350
SEED = 0
TOP = 5
RUN, PAGE = Path("demo-search.db"), Path("demo-search.html")
YOUR_OWN = "swapnas score --model my_package.models:make_net --size 224"


def cells(name: str) -> list[dict[str, str]]:
    with open(swap.examples.path(name), newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    print(f"[{what}: {time.perf_counter() - started:.1f} s]\n", flush=True)


def score(space: SearchSpace) -> None:
    """Compares the ranking by score, and that by size, with the true one."""
    rows = cells("nasbench201")
    print(
        f"Does the score rank? {len(rows)} cells of NAS-Bench-201, drawn at random. Weights\n"
        "untrained, no labels used: each network sees 16 patches of one photograph.\n",
        flush=True,
    )
    architectures = [row["architecture"] for row in rows]
    scorer = swap.Scorer(space.inputs(16), measure=swap.measures.recommended, init="own", seed=SEED)
    with progress_bar("scoring", len(rows)) as on_progress:
        found = swap.search.score_listed(
            space, scorer, architectures, workers=cores(), on_progress=on_progress
        )
    by_form = {candidate.form: candidate.log_score for candidate in found.candidates}
    if found.interrupted:
        raise KeyboardInterrupt
    accuracies = [float(row["test_cifar10"]) for row in rows]
    scores = [by_form[space.canonical(architecture)] for architecture in architectures]
    sizes = [space.size(architecture) for architecture in architectures]
    print(f"{'':42}capacity score  parameters")
    print(f"{'rank correlation with true accuracy (rho)':42}", end="")
    print(f"{rho(scores, accuracies):14.2f}{rho(sizes, accuracies):12.2f}")
    print(f"{f'true accuracy of the {TOP} highest, mean':42}", end="")
    print(f"{top(scores, accuracies):12.2f} %{top(sizes, accuracies):10.2f} %")
    print(f"{f'of {TOP} at random, mean':42}{np.mean(accuracies):12.2f} %")
    print(f"{f'of the best of the {len(rows)}':42}{max(accuracies):12.2f} %\n")
    print("(True accuracy: on CIFAR-10's test images, after 200 epochs of training.)")


def rho(values: Sequence[float], accuracies: Sequence[float]) -> float:
    return rank_correlation(np.array(values, dtype=float), np.array(accuracies))


def top(values: Sequence[float], accuracies: Sequence[float]) -> float:
    """The mean accuracy of those with the highest values. Of equal values, such as those of isomorphic cells, any may
    be taken: it is the mean over all choices."""
    groups: dict[float, list[float]] = defaultdict(list)
    for value, accuracy in zip(values, accuracies, strict=True):
        groups[value].append(accuracy)
    total, taken = 0.0, 0
    for value in sorted(groups, reverse=True):
        count = min(TOP - taken, len(groups[value]))
        total += count * float(np.mean(groups[value]))
        taken += count
    return total / taken


def search(space: SearchSpace) -> None:
    """Searches the space, and looks the winner up."""
    print(f"A search of all 15,625 cells that scores {CANDIDATES} of them:\n", flush=True)
    for path in (RUN, PAGE):
        path.unlink(missing_ok=True)  # of an earlier demo
    options = ["--space", "nasbench201", "--candidates", str(CANDIDATES), "--seed", str(SEED)]
    swapnas("search", *options, "--run", str(RUN))
    winner = swap.search.load(RUN).best.architecture
    print(f"\nThe winner: {winner}\n{looked_up(space, winner)}")


def swapnas(*arguments: str) -> None:
    print(f"$ swapnas {' '.join(arguments)}", flush=True)
    cli.main.main(arguments, prog_name="swapnas", standalone_mode=False)


def looked_up(space: SearchSpace, winner: str) -> str:
    """What is known of a cell, in a sentence. An isomorphic cell is the same network, trained another time."""
    best = cells("nasbench201-best")
    for row in best:
        if row["architecture"] == winner:
            return (
                f"Its true accuracy: {float(row['test_cifar10']):.2f} %, rank {row['rank']} of all 15,625; the best "
                f"has {float(best[0]['test_cifar10']):.2f} %."
            )
    for row in cells("nasbench201"):
        if row["architecture"] == winner:
            return f"Its true accuracy: {float(row['test_cifar10']):.2f} %; it is not among the {len(best)} best."
    form = space.canonical(winner)
    for row in best:
        if space.canonical(row["architecture"]) == form:
            return (
                f"Cells that are the same network have a true accuracy of {float(row['isomorphic_mean']):.2f} %, "
                f"mean of {row['isomorphic']}; the best of all has {float(best[0]['test_cifar10']):.2f} %."
            )
    return f"It is not among the {len(best)} best of all 15,625, nor among the 256 drawn."


def main() -> None:
    started = time.perf_counter()
    space = swap.spaces.get("nasbench201")
    with timed("scored"):
        score(space)
    with timed("searched"):
        search(space)
    with timed("drawn"):
        swapnas("show", str(RUN), "--html", str(PAGE))
        print(f"The page: {PAGE.resolve().as_uri()}")
    print(
        "A score is no accuracy: it ranks the networks of one space, and on some spaces it\n"
        'ranks no better than their size. README.md, "Does it rank?", has ten of them.\n'
        f"\nYour own model: {YOUR_OWN}\n"
        f"\nAll in {time.perf_counter() - started:.0f} s."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to start over", file=sys.stderr)
        sys.exit(INTERRUPTED)
