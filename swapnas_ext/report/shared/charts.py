"""Charts of scores, as specifications of Vega-Lite, which draws them in the page. Their colours are those of the page,
which has them for a light and for a dark scheme."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from swapnas_ext.report.shared.axes import Axis
from swapnas_ext.report.shared.page import json_markup

INK, FAINT, LINE, DOTS, ACCENT, SECOND = (
    f"var(--{name})" for name in ("ink", "faint", "line", "dots", "accent", "second")
)
_FONT = "system-ui, sans-serif"
_HEIGHT = 300
_WHOLE = ("number", "parameters")
"""Fields of all data sets that have whole numbers."""

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
class Dots:
    """Architectures of a data set, as dots.

    Attributes:
        data: name of the data set.
        x, y: axes, whose fields are those of the data set.
        told: titles of fields that hovering tells, by field.
        all_listed: whether all stand in a table. Vega warns of a layer without dots.
    """

    data: str
    x: Axis
    y: Axis
    told: Mapping[str, str]
    all_listed: bool = False

    def layers(self, *, legend: Mapping[str, str], listed: str = "") -> list[Spec]:
        """A layer of all dots, and one of those that stand in a table.

        Args:
            legend: colours of the legend by label. The first is that of the dots.
            listed: label of the dots that stand in a table; empty where they are as all others.
        """
        whole = {*_WHOLE, *(axis.field for axis in (self.x, self.y) if axis.is_whole)}

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
                    "tooltip": told_fields(self.told, ["name"], whole),
                },
            }

        first = next(iter(legend))
        if not listed:
            return [layer(first, "", 26, 0.7)]
        in_table = layer(listed, "!!datum.row", 60, 1.0)
        return [in_table] if self.all_listed else [layer(first, "!datum.row", 22, 0.55), in_table]


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


def told_fields(
    fields: Mapping[str, str], before: Sequence[str] = (), whole: Collection[str] = ()
) -> list[Spec]:
    """What hovering tells: counts in full, and other numbers as tables write them, with six significant digits."""
    told: list[Spec] = [{"field": name, "type": "nominal"} for name in before]
    for name, title in fields.items():
        form = ",d" if name in whole else ".6~g"
        told.append({"field": name, "title": title, "type": "quantitative", "format": form})
    return told


def draw_curve(dots: Dots, points: Sequence[tuple[float, float]], listed: str) -> Chart:
    """The score of each candidate, and the best score so far, by the number of the candidate.

    Args:
        points: the best scores so far.
        listed: what the legend calls the dots that stand in a table.
    """
    legend = {**_candidates(dots), listed: ACCENT, "best so far": SECOND}
    lines = _steps("best so far", points, dots, legend)
    rise = ""
    if points:
        rise = f" The best so far rises from {points[0][1]:.5g} to {points[-1][1]:.5g}."
    spec = {"layer": [*lines, *dots.layers(legend=legend, listed=listed)]}
    text = f"A dot for each candidate, by its number.{rise}"
    return Chart(
        "curve",
        _title(f"{plain(dots.y.title)} of each candidate, and the best so far"),
        text,
        spec,
    )


def _candidates(dots: Dots) -> dict[str, str]:
    return {} if dots.all_listed else {"candidates": DOTS}


def draw_front(dots: Dots, front: Sequence[tuple[float, float]], listed: str, cost: str) -> Chart:
    """Scores against costs, with the Pareto front.

    Args:
        front: costs and scores of the front, the cheapest first.
        listed: what the legend calls the dots that stand in a table.
        cost: what the cost is called.
    """
    legend = {**_candidates(dots), listed: ACCENT, "Pareto front": SECOND}
    lines = _steps("Pareto front", front, dots, legend)
    spec = {"layer": [*lines, *dots.layers(legend=legend, listed=listed)]}
    ends = ""
    if front:
        (low, bad), (high, good) = front[0], front[-1]
        ends = f", from {bad:.5g} at {low:.4g} to {good:.5g} at {high:.4g}"
    text = f"A dot for each candidate. {len(front):,} of them are on the Pareto front{ends}."
    return Chart("front", _title(f"{plain(dots.y.title)} against {cost}"), text, spec)


def _steps(
    label: str, points: Sequence[tuple[float, float]], dots: Dots, legend: Mapping[str, str]
) -> list[Spec]:
    """A layer with a line of steps; none where it has no points, of which Vega warns."""
    values = [
        {"x": x, "y": y, "series": label}
        for x, y in points
        if math.isfinite(y) and (y > 0 or not dots.y.is_log) and (x > 0 or not dots.x.is_log)
    ]
    layer: Spec = {
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
    return [layer] if values else []


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


def _title(text: str) -> str:
    return text[:1].upper() + text[1:]


def plain(title: str) -> str:
    """A title of an axis without its unit."""
    return title.partition(",")[0]
