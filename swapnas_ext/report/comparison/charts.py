"""The charts of a comparison: lines of steps, and bands around them. Each run has a style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from swapnas_ext.report.shared.axes import Axis
from swapnas_ext.report.shared.charts import Chart, LineStyle, Spec, plain, told_fields


@dataclass(frozen=True)
class Line:
    """A line of steps, and its name."""

    name: str
    style: LineStyle
    xs: Sequence[float]
    ys: Sequence[float]
    names: Sequence[str] = ()
    """Of the architectures at its points; empty where they are not known."""
    rows: Sequence[str] = ()
    """Anchors of their rows; empty for none."""


@dataclass(frozen=True)
class Band:
    """A line with a range around it, and its name."""

    name: str
    style: LineStyle
    xs: Sequence[float]
    lows: Sequence[float]
    means: Sequence[float]
    highs: Sequence[float]


def draw_lines(name: str, lines: Sequence[Line], x: Axis, y: Axis, title: str) -> Chart:
    """Lines of steps, such as the best score so far of several runs, or their Pareto fronts.

    Args:
        x, y: axes; their fields and values are not used.
    """
    values: list[dict[str, Any]] = [
        {
            "line": line.name,
            "x": at,
            "y": value,
            **({"name": line.names[place]} if line.names else {}),
            **({"row": line.rows[place]} if line.rows else {}),
        }
        for line in lines
        for place, (at, value) in enumerate(zip(line.xs, line.ys, strict=True))
    ]
    whole_x = Axis("x", x.title, [row["x"] for row in values], x.unit, x.wide, x.zero)
    whole_y = Axis("y", y.title, [row["y"] for row in values], y.unit, y.wide, y.zero)
    told = [
        {"field": "line", "title": "run", "type": "nominal"},
        *told_fields(
            {"x": plain(x.title), "y": plain(y.title)},
            ["name"] * any("name" in row for row in values),
            [axis.field for axis in (whole_x, whole_y) if axis.is_whole],
        ),
    ]
    encoding = {
        "x": whole_x.encoding(),
        "y": whole_y.encoding(),
        "color": _of_lines(lines),
        "strokeDash": _dashes_of(lines),
        "detail": {"field": "line", "type": "nominal"},
    }
    steps = {
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "aria": False},
        "encoding": encoding,
    }
    dots = {
        "mark": {
            "type": "point",
            "filled": True,
            "size": 30 if len(values) < 400 else 14,
            "opacity": 0.9,
            "aria": False,
            "cursor": "pointer" if any(row.get("row") for row in values) else "default",
        },
        "encoding": {key: encoding[key] for key in ("x", "y", "color")} | {"tooltip": told},
    }
    ends = [f"{line.name} ends at {line.ys[-1]:.5g}" for line in lines[:8] if line.ys]
    spec = {"data": {"values": values}, "layer": [steps, dots]}
    text = f"A line for each of {len(lines)}: {'; '.join(ends)}."
    return Chart(name, title, text, spec, legend=_styles(lines))


def draw_bands(name: str, bands: Sequence[Band], x: Axis, y: Axis, title: str) -> Chart:
    """Lines with ranges around them, such as means of repeats."""
    values: list[dict[str, Any]] = [
        {"line": band.name, "x": at, "low": low, "mean": mean, "high": high}
        for band in bands
        for at, low, mean, high in zip(band.xs, band.lows, band.means, band.highs, strict=True)
    ]
    everything = [row[key] for row in values for key in ("low", "high")]
    whole_x = Axis("x", x.title, [row["x"] for row in values], x.unit, x.wide, x.zero)
    whole_y = Axis("mean", y.title, everything, y.unit, y.wide)
    told = [
        {"field": "line", "title": "setting", "type": "nominal"},
        *told_fields(
            {"x": x.title, "mean": "mean", "low": "lowest", "high": "highest"},
            whole=["x"] * whole_x.is_whole,
        ),
    ]
    color = _of_lines(bands)
    band_layer = {
        "mark": {"type": "area", "opacity": 0.2, "aria": False, "interpolate": "linear"},
        "encoding": {
            "x": whole_x.encoding(),
            "y": whole_y.encoding("low"),
            "y2": {"field": "high"},
            "color": color,
        },
    }
    line_layer = {
        "mark": {"type": "line", "strokeWidth": 2, "aria": False, "tooltip": None},
        "encoding": {
            "x": whole_x.encoding(),
            "y": whole_y.encoding("mean"),
            "color": color,
            "strokeDash": _dashes_of(bands),
        },
    }
    dots = {
        "mark": {"type": "point", "size": 60, "opacity": 0, "aria": False},
        "encoding": {
            "x": whole_x.encoding(),
            "y": whole_y.encoding("mean"),
            "color": color,
            "tooltip": told,
        },
    }
    ends = [f"{band.name} ends at {band.means[-1]:.5g}" for band in bands[:8] if band.means]
    spec = {"data": {"values": values}, "layer": [band_layer, line_layer, dots]}
    text = f"Means and ranges: {'; '.join(ends)}."
    return Chart(name, title, text, spec, legend=_styles(bands))


def _styles(lines: Sequence[Line] | Sequence[Band]) -> dict[str, LineStyle]:
    return {line.name: line.style for line in lines}


def _of_lines(lines: Sequence[Line] | Sequence[Band]) -> Spec:
    scale = {
        "domain": [line.name for line in lines],
        "range": [line.style.color for line in lines],
    }
    return {"field": "line", "type": "nominal", "scale": scale, "legend": None}


def _dashes_of(lines: Sequence[Line] | Sequence[Band]) -> Spec:
    scale = {
        "domain": [line.name for line in lines],
        "range": [list(line.style.dashes) or [1, 0] for line in lines],
    }
    return {"field": "line", "type": "nominal", "scale": scale, "legend": None}
