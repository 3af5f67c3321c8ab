"""Draws the results of a run for the README: ``python benchmarks/search_picture.py run.db``."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image
from plots import draw_graph, draw_sizes

import swapnas_ext as swap
from swapnas_ext.search import RunFile, SearchResult

RESULTS = Path(__file__).parent / "results"


def pixels(figure: Figure) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    return Image.open(buffer)


def main() -> None:
    with RunFile.read(Path(sys.argv[1])) as history:
        result = SearchResult.of(history)
        space = swap.spaces.get(history.settings["space"]["name"])
    shown = result.family or result.ranked()[:5]
    sizes = draw_sizes(
        [(row.parameters, row.candidate.patterns) for row in result.ranked()],
        [(row.parameters, row.candidate.patterns) for row in result.front],
        [(row.parameters, row.candidate.patterns) for row in shown],
    )
    middle = shown[len(shown) // 2]
    parts = [pixels(sizes), pixels(draw_graph(space.graphs(middle.architecture)[0]))]
    height = max(part.height for part in parts)
    picture = Image.new("RGB", (sum(part.width for part in parts), height), "white")
    left = 0
    for part in parts:
        picture.paste(part.convert("RGB"), (left, (height - part.height) // 2))
        left += part.width
    picture.save(RESULTS / "search.png")


if __name__ == "__main__":
    main()
