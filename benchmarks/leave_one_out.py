"""Tests the capacity score on search spaces that its exponents were not chosen on: each table is left out once.

    python benchmarks/leave_one_out.py --data FOLDER           # run again to continue after Ctrl-C
    python benchmarks/leave_one_out.py --data FOLDER --report  # only rewrites the tables

For each of the ten tables, the exponents are chosen on the other nine, by one rule and from one grid that are below,
and the score with these exponents is compared with the accuracies of the tenth. Scores go into run files under
build/certificate, results into benchmarks/results/leave_one_out.json, and tables into docs/capacity.md.

The form of the score was found by looking at some rows of each of the ten tables (docs/capacity.md). These rows are
left out here, except for AutoFormer, whose table has no others.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import leave_one_out_report
import numpy as np
import torch
from certificate_tables import CAPACITY, COMPOSITE, TABLES, Table
from scipy.stats import rankdata
from studied_rows import SEEN_WITH_CAPACITY, shuffled
from table_scores import rows_of, scores_of

import swapnas_ext as swap
from swapnas_ext.cli.worker_options import local_workers
from swapnas_ext.correlation.correlations import FLOPS, PARAMETERS, RAW, ScoredRow, scored_rows
from swapnas_ext.correlation.ranking import rank

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "leave_one_out.json"
_ROWS = 300

GRID: dict[str, tuple[float, ...]] = {
    "flops": (0, 1 / 4, 1 / 2, 1),
    "patterns": (0, 1 / 4, 1 / 2, 1),
    "use": (0, 1 / 4, 1 / 2, 1),
    "drift": (0, 1 / 2, 1, 2),
    "directness": (0, 1 / 2, 1, 2),
}
"""Exponents to choose from; that of the width is 1."""

SHIPPED = {
    "flops": 1 / 2,
    "patterns": 1 / 2,
    "use": 1 / 2,
    "drift": 1,
    "directness": 1,
}
"""Those of `swapnas_ext.measures.capacity`."""

Values = np.ndarray
Exponents = Mapping[str, float]


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=os.environ.get("SWAPNAS_DATA"),
    required=True,
    help="The folder of the tables. Default: SWAPNAS_DATA.",
)
@click.option("--rows", default=_ROWS, show_default=True, help="Rows of each table, at most.")
@click.option("--report", "only_report", is_flag=True, help="Only rewrites the tables.")
@click.option("--workers", type=click.IntRange(1), help="Local processes. Default: one per core.")
def main(data: Path, rows: int, only_report: bool, workers: int | None) -> None:
    """Scores the tables, leaves each out once, and writes the tables of docs/capacity.md."""
    if not only_report:
        measure(data, local_workers(workers), rows)
    report()


def measure(data: Path, workers: int, rows: int = _ROWS) -> None:
    """Scores the tables and leaves each out once."""
    start = time.perf_counter()
    tables = [scored(name, table, data, rows, workers) for name, table in TABLES.items()]
    results = {
        "rows": rows,
        "seconds": round(time.perf_counter() - start, 1),
        "torch": torch.__version__,
        "swapnas_ext": swap.__version__,
        "tables": {left_out.name: told(left_out, tables) for left_out in tables},
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def report() -> None:
    """Writes the tables of docs/capacity.md."""
    leave_one_out_report.write(json.loads(RESULTS.read_text()), HERE.parent / "docs")


@dataclass(frozen=True)
class Scored:
    """Rows of a table with what is known of them.

    Attributes:
        parts: logarithms of the parts of the capacity score, by name; the drift as its negative square.
        predictors: logarithms of other scores and of sizes, by name.
    """

    name: str
    accuracies: Values
    parts: Mapping[str, Values]
    predictors: Mapping[str, Values]

    def combined(self, exponents: Exponents) -> Values:
        total = self.parts["width"].copy()
        for part, exponent in exponents.items():
            if exponent:
                total += exponent * self.parts[part]
        return total

    def rho(self, values: Values) -> float:
        """Spearman's rho, faster than SciPy's."""
        x, y = rankdata(values), rankdata(self.accuracies)
        x, y = x - x.mean(), y - y.mean()
        spread = math.sqrt((x @ x) * (y @ y))
        return float(x @ y / spread) if spread else 0.0

    @property
    def best_known(self) -> float:
        """The highest rho of the published score, the composite score, parameters and FLOPs."""
        return max(self.rho(values) for values in self.predictors.values())


def scored(name: str, table: Table, data: Path, most: int, workers: int) -> Scored:
    whole = rows_of(table, data)
    rows = shuffled(whole.rows)
    if len(rows) > SEEN_WITH_CAPACITY[name]:
        rows = rows[SEEN_WITH_CAPACITY[name] :]
    rows = rows[:most]

    def of(measure: str) -> dict[int, ScoredRow]:
        setting = table.setting if measure == "patterns" else table.setting.of(measure)
        label = f"{name}, {measure}"
        space, scores = scores_of(
            label, setting, rows, among=whole.rows, data=data, workers=workers
        )
        found, _ = scored_rows(replace(whole, rows=rows), space, scores)
        return {row.row.place: row for row in found}

    published, composite, capacity = of("patterns"), of(COMPOSITE), of(CAPACITY)
    places = sorted(published.keys() & composite.keys() & capacity.keys())
    parts = [_parts(capacity[place]) for place in places]
    return Scored(
        name,
        np.array([published[place].row.accuracy for place in places]),
        {part: np.array([row[part] for row in parts]) for part in parts[0]},
        {
            RAW: np.array([published[place].candidate.log_score for place in places]),
            COMPOSITE: np.array([composite[place].candidate.log_score for place in places]),
            PARAMETERS: np.array([math.log(published[place].parameters) for place in places]),
            FLOPS: np.array([row["flops"] for row in parts]),
        },
    )


def _parts(row: ScoredRow) -> dict[str, float]:
    """Logarithms of the parts of the capacity score, in the mean over repeats."""
    outcome = row.candidate.outcome
    assert outcome is not None and outcome.flops is not None
    found = outcome.details

    def log(part: str) -> float:
        return float(np.mean(np.log(np.maximum(found[part], 1e-12))))

    return {
        "width": log("width"),
        "flops": math.log(max(outcome.flops, 1)),
        "patterns": math.log(max(row.candidate.patterns, 1)),
        "use": log("use"),
        "drift": -float(np.mean(np.square(found["drift"]))),
        "directness": float(np.mean(found["directness"])),
    }


def told(left_out: Scored, tables: Sequence[Scored]) -> dict[str, Any]:
    """What is written about a table."""
    others = [table for table in tables if table is not left_out]
    exponents = chosen_on(others)
    values = {
        "left out": left_out.combined(exponents),
        "shipped": left_out.combined(SHIPPED),
        **left_out.predictors,
    }
    accuracies = left_out.accuracies
    return {
        "rows": len(accuracies),
        "exponents": exponents,
        "rankings": {
            name: asdict(rank(name, found, accuracies, seed=0)) for name, found in values.items()
        },
        "five": {name: _mean_of_highest(found, accuracies) for name, found in values.items()},
        "best five": float(np.sort(accuracies)[-5:].mean()),
        "median": float(np.median(accuracies)),
    }


def chosen_on(tables: Sequence[Scored]) -> dict[str, float]:
    """The mean of all exponents of the grid, weighted by ``exp(worth / 0.03)``.

    Their worth is the mean rho over the tables, plus half of the largest shortfall (which is negative) against the
    best of the published score, the composite score, parameters and FLOPs. Many exponents are worth nearly the same,
    and 0.03 is about the standard error of rho: the single best one would owe its place to chance.
    """
    known = np.array([table.best_known for table in tables])

    def worth(exponents: Exponents) -> float:
        rhos = np.array([table.rho(table.combined(exponents)) for table in tables])
        return float(rhos.mean() + min(0.0, (rhos - known).min()) / 2)

    grid = list(_all_exponents())
    worths = np.array([worth(exponents) for exponents in grid])
    weights = np.exp((worths - worths.max()) / 0.03)
    return {
        part: float(np.average([exponents[part] for exponents in grid], weights=weights))
        for part in GRID
    }


def _all_exponents() -> Iterator[dict[str, float]]:
    for exponents in itertools.product(*GRID.values()):
        yield dict(zip(GRID, exponents, strict=True))


def _mean_of_highest(values: Values, accuracies: Values, count: int = 5) -> float:
    """The mean accuracy of the highest; among equal values, the least accurate count as the highest."""
    return float(accuracies[np.lexsort((accuracies, -values))[:count]].mean())


if __name__ == "__main__":
    main()
