"""Draws the README's picture: scores of untrained networks, and their sizes, against true accuracies.

python benchmarks/ranking_picture.py

The cells are the 256 that come with the package.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import swapnas_ext as swap
from swapnas_ext._util import cores, rank_correlation

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
RHO = "\N{GREEK SMALL LETTER RHO}"
# Text and lines of GitHub's pages, and the color of the dots, in light and in dark.
STYLES = {"ranking.png": ("#1f2328", "#0969da"), "ranking-dark.png": ("#e6edf3", "#58a6ff")}
LEAST = 50.0
"""Percent; cells that hardly learn have scores so small that they would press the others together."""
Values = NDArray[np.float64]


def main() -> None:
    space = swap.spaces.get("nasbench201")
    with open(swap.examples.path("nasbench201"), newline="") as file:
        rows = list(csv.DictReader(file))
    cells = [row["architecture"] for row in rows]
    scorer = swap.Scorer(space.inputs(16), measure=swap.measures.recommended, init="own")
    found = swap.search.score_listed(space, scorer, cells, workers=cores())
    by_form = {candidate.form: candidate.log_score for candidate in found.candidates}
    accuracies = np.array([float(row["test_cifar10"]) for row in rows])
    scores = np.array([by_form[space.canonical(cell)] for cell in cells])
    sizes = np.array([space.size(cell) for cell in cells], dtype=float)
    for name, (text, dots) in STYLES.items():
        draw(scores, sizes, accuracies, text, dots, PICTURES / name)


def draw(
    scores: Values, sizes: Values, accuracies: Values, text: str, dots: str, path: Path
) -> None:
    """One picture of natural logarithms of scores. The correlations are of all cells, those below the axis too."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    shown = accuracies >= LEAST
    for axes, x in ((left, np.exp(scores)), (right, sizes / 1e6)):
        axes.scatter(x[shown], accuracies[shown], s=16, alpha=0.55, color=dots, edgecolors="none")
        _color(axes, text)
    left.set_title(f"capacity score: {RHO} = {rank_correlation(scores, accuracies):.2f}")
    right.set_title(f"number of parameters: {RHO} = {rank_correlation(sizes, accuracies):.2f}")
    left.set_xscale("log")
    left.set_xlabel("capacity score, untrained")
    right.set_xlabel("parameters, millions")
    left.set_ylabel("accuracy after training, %")
    figure.savefig(path, dpi=160, transparent=True)
    print(f"{path.name}: {np.count_nonzero(~shown)} of {len(scores)} cells are below {LEAST:g} %")


def _color(axes: Axes, color: str) -> None:
    axes.title.set_color(color)
    axes.xaxis.label.set_color(color)
    axes.yaxis.label.set_color(color)
    axes.tick_params(which="both", colors=color)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(color)
    axes.set_facecolor("none")


if __name__ == "__main__":
    main()
