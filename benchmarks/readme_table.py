"""Prints the tables of the README from benchmarks/results/*.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def rows(name: str) -> list[dict[str, Any]]:
    return json.loads((RESULTS / f"{name}.json").read_text())["rows"]


def milliseconds(value: float) -> str:
    return f"{value:.3f} ms" if value < 1 else f"{value:,.1f} ms"


def main() -> None:
    print("| work | here | against | ratio | aim |\n|---|---|---|---|---|")
    for row in (*rows("count"), *rows("insert"), *rows("score")):
        if "ours_ms" in row:
            other = f"{row['against']}, {milliseconds(row['others_ms'][row['against']])}"
            ratio = f"{row['ratio']:,.0f}x" if row["ratio"] > 10 else f"{row['ratio']:.2f}x"
            aim = "" if "None" in row["bound"] else row["bound"]
            print(f"| {row['work']} | {milliseconds(row['ours_ms'])} | {other} | {ratio} | {aim} |")
        elif "ours_kib" in row:
            ours, published = row["ours_kib"] / 1024, row["published_kib"] / 1024
            other = f"published way, +{published:.0f} MiB"
            print(f"| {row['work']} | +{ours:.1f} MiB | {other} | {row['ratio']:.3f}x | <= 0.05 |")
    print()
    for row in rows("score"):
        if "rho" in row:
            print(
                f"- {row['work']}: {row['rho']:.3f} (parameters alone: {row['rho_of_parameters']:.3f})"
            )


if __name__ == "__main__":
    main()
