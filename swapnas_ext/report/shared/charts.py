"""Charts of scores, as specifications of Vega-Lite, which draws them in the page. Their colours are those of the page,
which has them for a light and for a dark scheme."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from swapnas_ext.report.shared.axes import Axis
from swapnas_ext.report.shared.page import json_markup

if TYPE_CHECKING:
    from swapnas_ext.correlation import Agreement, OperationEffect, Repeatability

INK, FAINT, LINE, DOTS, ACCENT, SECOND = (
    f"var(--{name})" for name in ("ink", "faint", "line", "dots", "accent", "second")
)
_FONT = "system-ui, sans-serif"
_HEIGHT = 300

Spec = dict[str, Any]


@dataclass(frozen=True)
class LineStyle:
    """A colour, and the lengths of dashes and gaps in points; without any the line is solid."""

    color: str
    dashes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A chart of a page.

    Attributes:
        name: a word, which no other chart of the page has.
        title: what it shows.
        description: what can be seen in it, for those who do not see it.
        spec: of Vega-Lite, without what all charts have in common.
        note: stands behind the title.
    """

    name: str
    title: str
    description: str
    spec: Spec
    note: str = ""
    legend: Mapping[str, LineStyle] = field(default_factory=dict)
    """Of the lines; empty where the specification has one, or none is needed."""

    @property
    def whole(self) -> Spec:
        """The specification with what all charts have in common."""
        return {
            "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
            "width": "container",
            "height": _HEIGHT,
            "autosize": {"type": "fit-x", "contains": "padding"},
            "background": "transparent",
            "description": f"{self.title}. {self.description}",
            **self.spec,
            "config": _CONFIG,
        }

    @property
    def json(self) -> Markup:
        return json_markup(self.whole)


_CONFIG: Spec = {
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": FAINT,
        "titleColor": FAINT,
        "gridColor": LINE,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelOverlap": True,
    },
    "legend": {
        "labelColor": INK,
        "titleColor": FAINT,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "orient": "top",
        "symbolOpacity": 1,
        "labelLimit": 240,
    },
    "title": {"color": INK},
    "header": {"labelColor": INK, "titleColor": FAINT},
    "text": {"color": INK},
}


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


@dataclass(frozen=True)
class Dots:
    """Architectures of a data set, as dots.

    Attributes:
        data: name of the data set.
        x, y: axes, whose fields are those of the data set.
        told: titles of fields that hovering tells, by field.
    """

    data: str
    x: Axis
    y: Axis
    told: Mapping[str, str]

    def layers(self, *, legend: Mapping[str, str], listed: str = "") -> list[Spec]:
        """A layer of all dots, and one of those that stand in a table.

        Args:
            legend: colours of the legend by label. The first is that of the dots.
            listed: label of the dots that stand in a table; empty where they are as all others.
        """

        def layer(label: str, which: str, size: int, opacity: float) -> Spec:
            return {
                "data": {"name": self.data},
                "transform": [
                    {"calculate": repr(label), "as": "series"},
                    *({"filter": test} for test in (which, self.x.filter, self.y.filter) if test),
                ],
                "mark": {
                    "type": "point",
                    "filled": True,
                    "size": size,
                    "opacity": opacity,
                    "cursor": "pointer",
                    "aria": False,
                },
                "encoding": {
                    "x": self.x.encoding(),
                    "y": self.y.encoding(),
                    "color": _series(legend),
                    "tooltip": _told(self.told, ["name"]),
                },
            }

        first = next(iter(legend))
        if not listed:
            return [layer(first, "", 26, 0.7)]
        return [
            layer(first, "!datum.row", 22, 0.55),
            layer(listed, "!!datum.row", 60, 1.0),
        ]


def _series(legend: Mapping[str, str]) -> Spec:
    """The colour of what a layer shows, and the legend where there is more than one."""
    return {
        "field": "series",
        "type": "nominal",
        "scale": {"domain": list(legend), "range": list(legend.values())},
        "legend": {"title": None, "columns": 2, "symbolType": "circle"}
        if len(legend) > 1
        else None,
    }


def _told(fields: Mapping[str, str], before: Sequence[str] = ()) -> list[Spec]:
    told: list[Spec] = [{"field": name, "type": "nominal"} for name in before]
    for name, title in fields.items():
        told.append({"field": name, "title": title, "type": "quantitative", "format": ",.6~r"})
    return told


def draw_curve(dots: Dots, points: Sequence[tuple[float, float]], listed: str) -> Chart:
    """The score of each candidate, and the best score so far, by the number of the candidate.

    Args:
        points: the best scores so far.
        listed: what the legend calls the dots that stand in a table.
    """
    legend = {"candidates": DOTS, listed: ACCENT, "best so far": SECOND}
    line = _steps("best so far", points, dots, legend)
    rise = ""
    if points:
        rise = f" The best so far rises from {points[0][1]:.5g} to {points[-1][1]:.5g}."
    spec = {"layer": [line, *dots.layers(legend=legend, listed=listed)]}
    text = f"A dot for each candidate, by its number.{rise}"
    return Chart(
        "curve",
        _title(f"{_plain(dots.y.title)} of each candidate, and the best so far"),
        text,
        spec,
    )


def draw_front(dots: Dots, front: Sequence[tuple[float, float]], listed: str, cost: str) -> Chart:
    """Scores against costs, with the Pareto front.

    Args:
        front: costs and scores of the front, the cheapest first.
        listed: what the legend calls the dots that stand in a table.
        cost: what the cost is called.
    """
    legend = {"candidates": DOTS, listed: ACCENT, "Pareto front": SECOND}
    line = _steps("Pareto front", front, dots, legend)
    spec = {"layer": [line, *dots.layers(legend=legend, listed=listed)]}
    ends = ""
    if front:
        (low, bad), (high, good) = front[0], front[-1]
        ends = f", from {bad:.5g} at {low:.4g} to {good:.5g} at {high:.4g}"
    text = f"A dot for each candidate. {len(front):,} of them are on the Pareto front{ends}."
    return Chart("front", _title(f"{_plain(dots.y.title)} against {cost}"), text, spec)


def _steps(
    label: str, points: Sequence[tuple[float, float]], dots: Dots, legend: Mapping[str, str]
) -> Spec:
    values = [
        {"x": x, "y": y, "series": label}
        for x, y in points
        if math.isfinite(y) and (y > 0 or not dots.y.is_log) and (x > 0 or not dots.x.is_log)
    ]
    return {
        "data": {"values": values},
        "mark": {
            "type": "line",
            "interpolate": "step-after",
            "strokeWidth": 2,
            "point": {"size": 14, "filled": True} if len(values) == 1 else False,
            "clip": True,
            "aria": False,
            "tooltip": None,
        },
        "encoding": {
            "x": dots.x.encoding("x"),
            "y": dots.y.encoding("y"),
            "color": _series(legend),
        },
    }


def draw_scatter(name: str, dots: Dots, title: str, text: str, note: str = "") -> Chart:
    """The values of a predictor against accuracies: a dot for each architecture."""
    layers = dots.layers(legend={title: ACCENT, "listed": ACCENT}, listed="")
    for layer in layers:
        layer["encoding"]["color"] = {"value": ACCENT}
        layer["mark"]["opacity"] = 0.5
    return Chart(name, title, text, layers[0] | {"height": 260}, note)


def draw_sizes(dots: Dots, title: str) -> Chart:
    """Scores against numbers of parameters."""
    layers = dots.layers(legend={"candidates": ACCENT})
    text = f"A dot for each of {len(dots.x.values):,} architectures."
    return Chart("sizes", title, text, layers[0])


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
        *_told(
            {"x": _plain(x.title), "y": _plain(y.title)},
            ["name"] * any("name" in row for row in values),
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
        *_told({"x": x.title, "mean": "mean", "low": "lowest", "high": "highest"}),
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


def draw_operations(group: str, effects: Sequence[OperationEffect], shown: int = 12) -> Chart:
    """How far architectures are above or below the mean, by how often an operation occurs in them; the strongest
    operations first.

    Args:
        group: what is above or below: score or accuracy.
    """
    strongest = effects[:shown]
    values: list[dict[str, Any]] = [
        {"operation": effect.operation, "count": count, "mean": mean}
        for effect in strongest
        for count, mean in zip(effect.counts, effect.means, strict=True)
    ]
    names = [effect.operation for effect in strongest]
    counts = sorted({row["count"] for row in values})
    shades = [f"color-mix(in srgb, {ACCENT} {share}%, {DOTS})" for share in _shares(len(counts))]
    y = {
        "field": "operation",
        "type": "nominal",
        "sort": names,
        "axis": {"title": None, "labelLimit": 150, "labelColor": INK, "grid": True},
    }
    x = Axis("mean", f"mean {group}, in standard deviations", [])
    color = {
        "field": "count",
        "type": "ordinal",
        "scale": {"domain": counts, "range": shades},
        "legend": {"title": "occurrences", "symbolType": "circle", "columns": 8},
    }
    layers: list[Spec] = [
        {
            "data": {"values": [{"zero": 0}]},
            "mark": {"type": "rule", "color": FAINT, "aria": False},
            "encoding": {"x": {"field": "zero", "type": "quantitative"}},
        },
        {
            "mark": {
                "type": "line",
                "color": DOTS,
                "strokeWidth": 1.5,
                "aria": False,
                "tooltip": None,
            },
            "encoding": {
                "x": x.encoding(),
                "y": y,
                "order": {"field": "count"},
                "detail": {"field": "operation"},
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "aria": False},
            "encoding": {
                "x": x.encoding(),
                "y": y,
                "color": color,
                "tooltip": [
                    {"field": "operation", "type": "nominal"},
                    {"field": "count", "title": "occurrences", "type": "quantitative"},
                    {"field": "mean", "title": "mean", "type": "quantitative", "format": "+.3f"},
                ],
            },
        },
    ]
    strong = strongest[0] if strongest else None
    text = f"The strongest is {strong.operation}, rho {strong.rho:+.2f}." if strong else ""
    title = f"Mean {group} by how often an operation occurs"
    height = 24 * len(strongest) + 8
    spec = {"data": {"values": values}, "height": height, "layer": layers}
    return Chart(f"operations-{_word(group)}", title, text, spec)


def _shares(count: int) -> list[int]:
    return [round(100 * place / max(1, count - 1)) for place in range(count)]


def _word(text: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in text)


def draw_saturation(saturations: Sequence[float], limit: float, note: str) -> Chart:
    """How many architectures have which saturation. Beyond the limit, scores can't tell architectures apart."""
    bins = 40
    counts = [0] * bins
    for value in saturations:
        counts[min(int(value * bins), bins - 1)] += 1
    values = [
        {"from": place / bins, "to": (place + 1) / bins, "count": count}
        for place, count in enumerate(counts)
        if count
    ]
    bars = {
        "data": {"values": values},
        "mark": {"type": "bar", "color": DOTS, "binSpacing": 1, "aria": False},
        "encoding": {
            "x": {
                "field": "from",
                "type": "quantitative",
                "bin": {"binned": True, "step": 1 / bins},
                "scale": {"domain": [0, 1]},
                "axis": {
                    "title": "saturation",
                    "format": ".0%",
                    "values": [0, 0.2, 0.4, 0.6, 0.8, 1],
                },
            },
            "x2": {"field": "to"},
            "y": {
                "field": "count",
                "type": "quantitative",
                "axis": {"title": "architectures", "tickMinStep": 1, "format": ",d"},
            },
            "tooltip": [
                {"field": "from", "title": "from", "type": "quantitative", "format": ".1%"},
                {"field": "to", "title": "to", "type": "quantitative", "format": ".1%"},
                {
                    "field": "count",
                    "title": "architectures",
                    "type": "quantitative",
                    "format": ",d",
                },
            ],
        },
    }
    rule = {
        "data": {"values": [{"limit": limit, "label": f"saturated from {limit:.0%} on"}]},
        "layer": [
            {
                "mark": {"type": "rule", "color": ACCENT, "strokeWidth": 2, "aria": False},
                "encoding": {"x": {"field": "limit", "type": "quantitative"}},
            },
            {
                "mark": {
                    "type": "text",
                    "align": "right",
                    "dx": 6,
                    "y": -8,
                    "color": ACCENT,
                    "fontSize": 12,
                },
                "encoding": {
                    "x": {"field": "limit", "type": "quantitative"},
                    "text": {"field": "label"},
                },
            },
        ],
    }
    spec = {"layer": [bars, rule], "height": 240}
    return Chart("saturation", "Saturation", "A histogram of saturations.", spec, note)


def draw_repeats(told: Repeatability, note: str) -> Chart:
    """The expected agreement of two rankings, by the number of repeats."""
    most = max(2 * told.repeats, 32)
    values = [
        {"repeats": count, "agreement": told.agreement_of(count)} for count in range(1, most + 1)
    ]
    x = Axis("repeats", "repeats", [])
    y = Axis("agreement", "agreement of two rankings", [])
    encoding = {
        "x": x.encoding(),
        "y": y.encoding(),
        "tooltip": _told({"repeats": "repeats", "agreement": "agreement"}),
    }
    spec = {
        "data": {"values": values},
        "mark": {
            "type": "line",
            "color": ACCENT,
            "strokeWidth": 2,
            "point": {"color": ACCENT, "size": 24},
            "aria": False,
        },
        "encoding": encoding,
        "height": 240,
    }
    text = f"It rises from {values[0]['agreement']:.3f} at one repeat to {values[-1]['agreement']:.3f} at {most}."
    return Chart("repeats", "Agreement of two rankings, by repeats", text, spec, note)


def draw_agreement(told: Agreement) -> Chart:
    """Spearman's rho of each measure with each, as a map."""
    values = [
        {
            "one": one,
            "other": other,
            "rho": rho if math.isfinite(rho) else None,
            "text": f"{rho:.2f}".replace("-0.00", "0.00") if math.isfinite(rho) else "",
        }
        for one, line in zip(told.titles, told.rho, strict=True)
        for other, rho in zip(told.titles, line, strict=True)
    ]
    order = list(told.titles)
    shared = {
        "y": {"field": "one", "type": "nominal", "sort": order, "axis": {"title": None}},
        "x": {
            "field": "other",
            "type": "nominal",
            "sort": order,
            "axis": {"title": None, "labelAngle": -50, "labelOverlap": False},
        },
    }
    cells = {
        "mark": {"type": "rect", "aria": False},
        "encoding": {
            "color": {
                "field": "rho",
                "type": "quantitative",
                "scale": {"domain": [-1, 0, 1], "range": ["#b2182b", "#f7f7f7", "#2166ac"]},
                "legend": None,
            },
            "tooltip": [
                {"field": "one", "title": "of", "type": "nominal"},
                {"field": "other", "title": "with", "type": "nominal"},
                {"field": "text", "title": "rho", "type": "nominal"},
            ],
        },
    }
    numbers = {
        "mark": {"type": "text", "fontSize": 12, "tooltip": None},
        "encoding": {
            "text": {"field": "text"},
            "color": {
                "condition": {"test": "abs(datum.rho) > 0.6", "value": "#fff"},
                "value": "#1f2933",
            },
        },
    }
    spec = {
        "data": {"values": values},
        "encoding": shared,
        "layer": [cells, numbers],
        "height": 34 * len(order),
    }
    text = "; ".join(
        f"{one['one']} with {one['other']}: {one['text']}"
        for one in values
        if order.index(str(one["one"])) < order.index(str(one["other"])) and one["text"]
    )
    return Chart("agreement", "Spearman's rho between the rankings", text, spec)


def _title(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plain(title: str) -> str:
    """A title of an axis without its unit."""
    return title.partition(",")[0]
