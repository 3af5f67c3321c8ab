"""Writes the tables of the README and of pages in docs/ from benchmarks/results/*.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from certificate_tables import CAPACITY, COMPOSITE
from marked import rewrite, table

from swapnas_ext.correlation.correlations import FLOPS, PARAMETERS, RAW

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[1]
BELOW_SIZE = "↓"
"""Marks a score that ranks worse than parameters or FLOPs."""


def rows(name: str) -> list[dict[str, Any]]:
    return json.loads((RESULTS / f"{name}.json").read_text())["rows"]


def milliseconds(value: float) -> str:
    return f"{value:.3f} ms" if value < 1 else f"{value:,.1f} ms"


def speed() -> str:
    lines = []
    for row in (*rows("count"), *rows("insert"), *rows("score")):
        if "ours_ms" in row:
            other = f"{row['against']}, {milliseconds(row['others_ms'][row['against']])}"
            ratio = f"{row['ratio']:,.0f}x" if row["ratio"] > 10 else f"{row['ratio']:.2f}x"
            lines.append((row["work"], milliseconds(row["ours_ms"]), other, ratio))
        elif "ours_kib" in row:
            ours, published = row["ours_kib"] / 1024, row["published_kib"] / 1024
            other = f"published way, +{published:.0f} MiB"
            lines.append((row["work"], f"+{ours:.1f} MiB", other, f"{row['ratio']:.3f}x"))
    return table(("work", "here", "against", "ratio"), lines)


def proxies() -> str:
    measured = [row for row in rows("score") if "against_forward" in row]
    names = list(measured[0]["against_forward"])[1:]
    lines = [f"| network | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for row in measured:
        values = " | ".join(f"{row['against_forward'][name]:.2f}" for name in names)
        lines.append(f"| {row['work'].removeprefix('proxies, ')} | {values} |")
    return "\n".join(lines)


def layers() -> str:
    lines = []
    for row in rows("layers"):
        times = [f"{row['medians_us'][name]:,.0f} us" for name in ("ours", "torch", "copy")]
        lines.append(
            [row["work"], " x ".join(map(str, row["shape"])), *times, f"{row['ratio']:.1f}x"]
        )
    return table(
        ("layer", "input", "here", "torch", "a copy of the input", "ratio to torch"), lines
    )


def measures() -> str:
    measured = rows("measures")
    names = list(measured[0]["against_published"])[1:]
    lines = []
    for row in measured:
        ratios = [f"{row['against_published'][name]:.2f}" for name in names]
        published = milliseconds(row["medians_ms"]["swap"])
        lines.append([row["work"].removeprefix("measures, "), published, *ratios])
    return table(("network", "swap", *names), lines)


def options() -> str:
    lines = [
        "| architectures | options | speed | Spearman's rho with accuracy | with the default's scores |",
        "|---|---|---|---|---|",
    ]
    for row in rows("options"):
        lines.append(
            f"| {row['architectures']} of {row['work']} | {row['options']} | {row['speed']:.2f}x | "
            f"{row['rho']:.3f} | {row['rho_with_default']:.4f} |"
        )
    return "\n".join(lines)


def gpu() -> str:
    """What was aimed at, and what a user waits for. The first run was before the forms of the insert."""
    first = {row["work"]: row for row in rows("gpu-nvidia-h200-first")}
    lines = []
    for row in rows("gpu-nvidia-h200"):
        work = row["work"]
        if "ours_ms" not in row or "into an empty set" in work:
            continue
        if not row["bound"] and not work.startswith(("ReLU + insert of", "DARTS", "agreements")):
            continue
        other = f"{row['against']}, {_short(row['others_ms'][row['against']])}"
        before = f"{first[work]['ratio']:.2f}" if work in first else ""
        lines.append((work, _short(row["ours_ms"]), other, f"{row['ratio']:.2f}", before))
    return table(("work", "here", "against", "ratio", "first run"), lines)


def _short(value: float) -> str:
    return f"{1e3 * value:.1f} us" if value < 0.1 else milliseconds(value)


def search() -> str:
    lines = []
    for row in rows("search"):
        if "seconds" in row:
            rate = f"{row['candidates_per_second']:.0f} candidates/s"
            lines.append((row["work"], f"{row['seconds']:.1f} s", "", rate))
        elif "ours_ms" in row:
            other = f"{row['against']}, {row['others_ms'][row['against']] / 1e3:.1f} s"
            ours = f"{row['ours_ms'] / 1e3:.1f} s"
            lines.append((row["work"], ours, other, f"{row['ratio']:.3g}x"))
    return table(("work", "here", "against", "ratio"), lines)


def found() -> str:
    lines = ["| what | validation accuracy | test accuracy |", "|---|---|---|"]
    for row in rows("search"):
        if "val_cifar10" in row:
            cells = [
                f"{row[name]:.2f} ± {row[f'{name}_std']:.2f}"
                for name in ("val_cifar10", "test_cifar10_mean")
            ]
            lines.append(f"| {row['work']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def rho() -> str:
    certificate = json.loads((RESULTS / "certificate.json").read_text())
    lines = []
    for name, found in certificate.items():
        values = {r["name"]: r["rho"]["value"] for r in found["all rows"]["rankings"]}
        for measure in (CAPACITY, COMPOSITE):
            values[measure] = found[measure]["rankings"]["all"]["rho"]["value"]
        largest = max(values[PARAMETERS], values[FLOPS])
        scores = [
            f"{values[measure]:.3f}{' ' + BELOW_SIZE if values[measure] < largest else ''}"
            for measure in (CAPACITY, RAW, COMPOSITE)
        ]
        sizes = [f"{values[size]:.3f}" for size in (PARAMETERS, FLOPS)]
        lines.append([name, f"{found['all rows']['rows']:,}", *scores, *sizes])
    scores = ["capacity score", RAW, "composite score"]
    return table(("table", "rows", *scores, PARAMETERS, FLOPS), lines)


PAGES = {
    "README.md": (rho, proxies),
    "docs/speed.md": (speed, layers, proxies, measures, options),
    "docs/gpu.md": (gpu,),
    "docs/searching.md": (search, found),
}
"""The parts of each page; a part has the name of its function."""


def main() -> None:
    for page, makers in PAGES.items():
        rewrite(ROOT / page, {make.__name__: make() for make in makers})


if __name__ == "__main__":
    main()
