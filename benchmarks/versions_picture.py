"""Draws the releases: how many times as fast as its yardstick each row is, in each of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure
from plots import ACCENT, INK, MUTED


def version_key(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def read_releases(folder: Path) -> list[dict[str, Any]]:
    """The kept results, oldest version first."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda release: version_key(release["version"]))


def draw_releases(releases: Sequence[Mapping[str, Any]]) -> Figure:
    """A line for each row, with a dot for each release. Its interval of 95 % is drawn where it is wider than a dot."""
    yardsticks = {
        row: each["yardstick"] for release in releases for row, each in release["rows"].items()
    }
    figure = Figure(figsize=(8.4, 0.34 * len(yardsticks) + 1.3), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xscale("log")
    older = colormaps["Blues"]
    places = {row: -place for place, row in enumerate(yardsticks)}
    for place, release in enumerate(releases):
        newest = place == len(releases) - 1
        shade = 0.35 + 0.5 * place / max(1, len(releases) - 1)
        color = ACCENT if newest else older(shade)
        rows = release["rows"]
        axes.errorbar(
            [each["ratio"]["value"] for each in rows.values()],
            [places[row] for row in rows],
            xerr=[
                [each["ratio"]["value"] - each["ratio"]["low"] for each in rows.values()],
                [each["ratio"]["high"] - each["ratio"]["value"] for each in rows.values()],
            ],
            fmt="o",
            ms=6 if newest else 5,
            color=color,
            lw=1,
            zorder=3 + place,
            label=f"{release['version']} ({release['date']})",
        )
    for row, place in places.items():
        values = [
            release["rows"][row]["ratio"]["value"] for release in releases if row in release["rows"]
        ]
        axes.plot([min(values), max(values)], [place, place], color=MUTED, lw=1, zorder=1)
    axes.axvline(1, color=INK, lw=0.8)
    axes.set_yticks(
        list(places.values()),
        [f"{row}\n{yardstick}" for row, yardstick in yardsticks.items()],
        fontsize=7,
    )
    axes.set_xlabel("times as fast as the yardstick, which is the second line of each name")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.25)
    figure.legend(frameon=False, fontsize=8, loc="outside upper right", ncols=len(releases))
    return figure
