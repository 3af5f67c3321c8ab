"""The charts of an analysis: operations, saturation, repeats, and how measures agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from swapnas_ext.report.shared.axes import Axis
from swapnas_ext.report.shared.charts import ACCENT, DOTS, FAINT, INK, Chart, Spec, told_fields

if TYPE_CHECKING:
    from swapnas_ext.correlation import Agreement, OperationEffect, Repeatability


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
        "tooltip": told_fields({"repeats": "repeats", "agreement": "agreement"}),
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
