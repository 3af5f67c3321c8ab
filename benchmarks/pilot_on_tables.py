"""Compares what `--samples auto --repeats auto` chooses with the default of 16 samples and one repeat, on ten tables.

    python benchmarks/pilot_on_tables.py --data FOLDER           # run again to continue after Ctrl-C
    python benchmarks/pilot_on_tables.py --data FOLDER --report  # only rewrites the table

For each table and measure, a pilot chooses without accuracies, on the table's space and images. Then random rows are
scored with both settings, and Spearman's rho with their accuracies is compared. Scores go into run files under
build/certificate, results into benchmarks/results/pilot.json, and the table into docs/searching.md.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from certificate_tables import SOURCES, TABLES, Setting, Table
from marked import rewrite, table
from studied_rows import shuffled
from table_scores import rows_of, scores_of

import swapnas_ext as swap
from swapnas_ext.correlation.correlations import scored_rows
from swapnas_ext.correlation.ranking import spearman

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "pilot.json"
_PAGE = HERE.parent / "docs" / "searching.md"
_MEASURES = ("patterns", "capacity")


@dataclass(frozen=True)
class Scored:
    """How well the rows are ranked at one setting, and what a network takes (median of the rows)."""

    rho: float
    saturated: int
    milliseconds: float


def _scored(name: str, of: Table, setting: Setting, most: int, data: Path, workers: int) -> Scored:
    whole = rows_of(of, data)
    rows = shuffled(whole.rows)[:most]
    space, scores = scores_of(name, setting, rows, among=whole.rows, data=data, workers=workers)
    found, _ = scored_rows(replace(whole, rows=rows), space, scores)
    outcomes = [one.candidate.outcome for one in found if one.candidate.outcome is not None]
    return Scored(
        rho=spearman(
            np.array([one.candidate.log_score for one in found]),
            np.array([one.row.accuracy for one in found]),
        ),
        saturated=sum(one.candidate.is_saturated for one in found),
        milliseconds=1e3 * float(np.median([outcome.seconds for outcome in outcomes])),
    )


def _measured(
    name: str, of: Table, measure: str, most: int, data: Path, workers: int
) -> dict[str, Any]:
    default = replace(of.setting.of(measure), samples=16, repeats=1, size=None)
    images = SOURCES.get(default.source)
    pilot = swap.search.pilot(
        default.get_space(),
        {"measure": measure, "init": default.init},
        source=data / images if images else None,
        workers=workers,
    )
    chosen = replace(default, samples=pilot.samples, repeats=pilot.repeats, size=pilot.size)
    return {
        "rows": min(most, len(rows_of(of, data).rows)),
        "pilot": pilot.for_json(),
        "auto": asdict(_scored(name, of, chosen, most, data, workers)),
        "default": asdict(_scored(name, of, default, most, data, workers)),
    }


def _report(results: dict[str, Any]) -> None:
    rows = []
    for key, found in results.items():
        name, _, measure = key.rpartition(", ")
        pilot, auto, default = found["pilot"], found["auto"], found["default"]
        size = "" if pilot["size"] is None else f", {pilot['size']} px"
        rows.append(
            [
                name,
                swap.measures.title_of(measure),
                f"{pilot['seconds']:.0f} s",
                f"S = {pilot['samples']}, R = {pilot['repeats']}{size}",
                f"{found['rows']}",
                *(
                    f"{one['rho']:.3f} ({one['saturated']}, {one['milliseconds']:.0f} ms)"
                    for one in (auto, default)
                ),
            ]
        )
    headings = ["table", "measure", "pilot", "chosen", "rows", "rho, auto", "rho, S = 16, R = 1"]
    rewrite(_PAGE, {"pilot": table(headings, rows)})


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--rows", "most", default=100, show_default=True, help="Rows of each table.")
@click.option("--workers", default=2, show_default=True)
@click.option("--report", is_flag=True, help="Only rewrites the table.")
def main(data: Path, most: int, workers: int, report: bool) -> None:
    """Compares what a pilot chooses with the default, on ten tables."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for measure in () if report else _MEASURES:
        for name, of in TABLES.items():
            key = f"{name}, {measure}"
            if key not in results:
                results[key] = _measured(name, of, measure, most, data, workers)
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
                click.echo(f"{key}: {results[key]['pilot']['sentence']}", err=True)
    _report(results)


if __name__ == "__main__":
    main()
