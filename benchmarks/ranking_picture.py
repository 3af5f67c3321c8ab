"""Draws the README's picture: scores of untrained networks, and their sizes, against true accuracies.

python benchmarks/ranking_picture.py --data FOLDER --run scores.db

FOLDER has nasbench201_cifar10.csv and cifar10_train_256.npz. Run it again with the same run file to continue after a stop.
"""

from __future__ import annotations

import random
from pathlib import Path

import click
import numpy as np
from certificate_tables import CAPACITY, TABLES
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import swapnas_ext as swap
from swapnas_ext._util import cores, rank_correlation
from swapnas_ext.correlation import read_table

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
CELLS = 1000
SEED = 0
# Text and lines of GitHub's pages, and the color of the dots, in light and in dark.
STYLES = {"ranking.png": ("#1f2328", "#0969da"), "ranking-dark.png": ("#e6edf3", "#58a6ff")}


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--run", type=click.Path(path_type=Path), required=True)
def main(data: Path, run: Path) -> None:
    table = TABLES["NAS-Bench-201"]
    setting = table.setting.of(CAPACITY)
    space = setting.get_space()
    rows = read_table(data / table.file, space).rows
    rows = random.Random(SEED).sample(list(rows), CELLS)
    scorer = swap.Scorer(
        setting.inputs(data), measure=setting.measure, init=setting.init, seed=setting.seed
    )
    found = swap.search.score_listed(
        space, scorer, [row.architecture for row in rows], workers=cores(), history=run
    )
    by_form = {candidate.form: candidate.log_score for candidate in found.candidates}
    accuracies = np.array([row.accuracy for row in rows])
    scores = np.array([by_form[space.canonical(row.architecture)] for row in rows])
    sizes = np.array([space.size(row.architecture) for row in rows], dtype=float)
    for name, (text, dots) in STYLES.items():
        draw(scores, sizes, accuracies, text, dots, PICTURES / name)


def draw(
    scores: np.ndarray, sizes: np.ndarray, accuracies: np.ndarray, text: str, dots: str, path: Path
) -> None:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    seen = np.isfinite(scores)
    scatter(left, np.exp(scores[seen]), accuracies[seen], dots)
    scatter(right, sizes / 1e6, accuracies, dots)
    left.set_title(f"capacity score: ρ = {rank_correlation(scores, accuracies):.2f}")
    right.set_title(f"number of parameters: ρ = {rank_correlation(sizes, accuracies):.2f}")
    left.set_xscale("log")
    left.set_xlabel("capacity score, untrained")
    right.set_xlabel("parameters, millions")
    left.set_ylabel("accuracy after training, %")
    for axes in (left, right):
        axes.title.set_color(text)
        axes.xaxis.label.set_color(text)
        axes.yaxis.label.set_color(text)
        axes.tick_params(which="both", colors=text)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(text)
        axes.set_facecolor("none")
    figure.savefig(path, dpi=160, transparent=True)


def scatter(axes: Axes, x: np.ndarray, y: np.ndarray, color: str) -> None:
    axes.scatter(x, y, s=9, alpha=0.5, color=color, edgecolors="none")
    axes.set_ylim(0, 95)


if __name__ == "__main__":
    main()
