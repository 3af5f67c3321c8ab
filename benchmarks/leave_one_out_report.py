"""Writes the tables of docs/capacity.md from the results of leave_one_out.py."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from certificate_tables import COMPOSITE
from marked import rewrite, table

from swapnas_ext.correlation.correlations import FLOPS, PARAMETERS, RAW

_KNOWN = (RAW, COMPOSITE, PARAMETERS, FLOPS)


def write(results: Mapping[str, Any], docs: Path) -> None:
    tables = results["tables"]
    rewrite(
        docs / "capacity.md",
        {
            "left out": _left_out(tables),
            "five": _five(tables),
            "exponents": _exponents(tables),
        },
    )


def _left_out(tables: Mapping[str, Any]) -> str:
    rows = []
    for name, found in tables.items():
        rho = {label: ranking["rho"] for label, ranking in found["rankings"].items()}
        best = max(rho[known]["value"] for known in _KNOWN)
        rows.append(
            [
                name,
                f"{found['rows']}",
                "**{value:.3f}** [{low:.2f}, {high:.2f}]".format(**rho["left out"]),
                f"{rho['shipped']['value']:.3f}",
                *(f"{rho[known]['value']:.3f}" for known in _KNOWN),
                f"{rho['left out']['value'] - best:+.3f}",
            ]
        )

    def over(summary: Any, label: str) -> float:
        rhos = [found["rankings"][label]["rho"]["value"] for found in tables.values()]
        return float(summary(rhos))

    labels = ("left out", "shipped", *_KNOWN)
    rows.append(["mean", "", *(f"{over(statistics.fmean, label):.3f}" for label in labels), ""])
    rows.append(["worst", "", *(f"{over(min, label):.3f}" for label in labels), ""])
    return table(
        ("table", "rows", "capacity, left out", "shipped", *_KNOWN, "against the best"), rows
    )


def _five(tables: Mapping[str, Any]) -> str:
    rows = []
    for name, found in tables.items():
        spread = found["best five"] - found["median"]
        five = found["five"]
        rows.append(
            [
                name,
                f"{found['median']:.2f}",
                f"{found['best five']:.2f}",
                *(f"{five[label]:.2f}" for label in ("left out", "shipped", *_KNOWN)),
                f"{(found['best five'] - five['left out']) / spread:.2f}",
            ]
        )
    headings = ("table", "median", "best five", "capacity, left out", "shipped", *_KNOWN)
    return table((*headings, "missed part of the spread"), rows)


def _exponents(tables: Mapping[str, Any]) -> str:
    parts = list(next(iter(tables.values()))["exponents"])
    rows = [
        [name, *(f"{found['exponents'][part]:.2f}" for part in parts)]
        for name, found in tables.items()
    ]
    return table(("left out", *parts), rows)
