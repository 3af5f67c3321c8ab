"""Reproduces the published correlations of the SWAP-Score on benchmark tables, and studies what affects
them.

    python benchmarks/certificate.py --data FOLDER             # run again to continue after Ctrl-C
    python benchmarks/certificate.py --data FOLDER --report    # only rewrites the report

Scores go into run files under build/certificate, results into benchmarks/results/certificate.json, the
report and its figures under docs/.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import certificate_report
import click
import leave_one_out
import numpy as np
import torch
from certificate_tables import CAPACITY, COMPOSITE, TABLES, Setting, Table, ablations
from recorded_search import accuracies_found
from studied_rows import seen, shuffled
from table_scores import rows_of, scores_of

import swapnas_ext as swap
from swapnas_ext.cli.worker_options import local_workers
from swapnas_ext.correlation import analysis
from swapnas_ext.correlation.accuracy_table import AccuracyTable
from swapnas_ext.correlation.correlations import (
    RAW,
    REGULARISED,
    Correlations,
    ScoredRow,
    calibrated,
    correlate,
    predictors,
    scored_rows,
)
from swapnas_ext.correlation.ranking import Ranking, rank, spearman
from swapnas_ext.search import SearchResult
from swapnas_ext.spaces import SearchSpace

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "certificate.json"
MEASURES = (COMPOSITE, CAPACITY)
WHOLE_SPACES = {"NAS-Bench-201"}
_GRID = 25
"""Values of mu, and of sigma, in the grid that sees accuracies."""


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=os.environ.get("SWAPNAS_DATA"),
    required=True,
    help="The folder of the tables. Default: SWAPNAS_DATA.",
)
@click.option(
    "--table",
    "names",
    multiple=True,
    type=click.Choice(list(TABLES)),
    help="Measures only this table. Repeatable.",
)
@click.option("--report", "only_report", is_flag=True, help="Only rewrites the report.")
@click.option("--workers", type=click.IntRange(1), help="Local processes. Default: one per core.")
def main(data: Path, names: tuple[str, ...], only_report: bool, workers: int | None) -> None:
    """Scores the tables and writes docs/certificate.md."""
    certificate = Certificate(data, local_workers(workers))
    if not only_report:
        chosen = {name: TABLES[name] for name in names or TABLES}
        for name, table in chosen.items():
            certificate.whole(name, table)
            for measure in MEASURES:
                certificate.measure(name, table, measure)
        for name in chosen.keys() & WHOLE_SPACES:
            certificate.searches(name, chosen[name])
        for name, table in chosen.items():
            certificate.ablations(name, table)
        if chosen.keys() == TABLES.keys():
            leave_one_out.measure(data, local_workers(workers))
    certificate_report.write(certificate.results, HERE.parent / "docs")
    leave_one_out.report()


@dataclass
class Certificate:
    """Results by table and experiment. Saved after each experiment."""

    data: Path
    workers: int
    results: dict[str, dict[str, dict[str, Any]]] = field(init=False)

    def __post_init__(self) -> None:
        self.results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}

    def whole(self, name: str, table: Table) -> None:
        """All rows, at the setting of the table."""
        if self._has(name, certificate_report.ALL, table.setting):
            return
        start = time.perf_counter()
        rows = self._read(table)
        space, scores = self._scores(name, certificate_report.ALL, table.setting, rows)
        found = correlate(rows, space, scores, repeats=table.setting.repeats)
        effects = analysis.operation_effects(
            space,
            [row.row.architecture for row in found.rows],
            next(iter(found.predictors.values())),
        )
        result = {
            "rows": len(found.rows),
            "networks": len(scores.candidates),
            "left out": len(rows.faults) + len(found.failed),
            "control": found.control and asdict(found.control),
            "rankings": [asdict(ranking) for ranking in found.rankings],
            "best of a grid that sees accuracies": _best_on_a_grid(found),
            "operations": [asdict(effect) for effect in effects],
            "saturation": asdict(analysis.saturation(scores.scored)),
            "points": _points(found),
        }
        self._keep(name, certificate_report.ALL, table.setting, result, scores, start)

    def measure(self, name: str, table: Table, measure: str) -> None:
        """Another score of all rows, and of rows with no equivalent among those that were seen when it was found."""
        setting = table.setting.of(measure)
        if self._has(name, measure, setting):
            return
        start = time.perf_counter()
        rows = self._read(table)
        space, scores = self._scores(name, measure, setting, rows)
        scored, failed = scored_rows(rows, space, scores)
        places = seen(measure, name, table, rows_of(table, self.data))
        known = {row.candidate.form for row in scored if row.row.place in places}
        halves = {
            "all": scored,
            "unseen": [row for row in scored if row.candidate.form not in known],
        }
        result = {
            "rows": len(scored),
            "networks": len(scores.candidates),
            "left out": len(failed),
            "rankings": {half: asdict(_rank(measure, of)) for half, of in halves.items() if of},
            "patterns": {half: asdict(_rank(RAW, of)) for half, of in halves.items() if of},
        }
        self._keep(name, measure, setting, result, scores, start)

    def searches(self, name: str, table: Table) -> None:
        """The results of searches that rank by these scores. For tables of whole spaces, with the stored
        scores of `whole` and `measure`."""
        setting = table.setting
        if self._has(name, certificate_report.SEARCHES, setting):
            return
        start = time.perf_counter()
        rows = self._read(table)
        space, scores = self._scores(name, certificate_report.SEARCHES, setting, rows)
        ranked_by = {
            RAW: (scores, None),
            REGULARISED: (scores, calibrated(scored_rows(rows, space, scores)[0])),
        }
        for measure in MEASURES:
            found = self._scores(name, certificate_report.SEARCHES, setting.of(measure), rows)[1]
            ranked_by[measure] = found, None
        result: dict[str, Any] = {"found": {}, "best": {}}
        for column in ("val_cifar10", "test_cifar10_mean"):
            told = rows_of(replace(table, accuracy=column), self.data).rows
            result["found"][column] = {
                label: accuracies_found(space, told, found, control)
                for label, (found, control) in ranked_by.items()
            }
            result["best"][column] = max(row.accuracy for row in told)
        self._keep(name, certificate_report.SEARCHES, setting, result, scores, start)

    def ablations(self, name: str, table: Table) -> None:
        """Some rows at other settings, with one change at a time."""
        if not table.rows:
            return
        whole = self._read(table)
        rows = whole.sampled(table.rows, seed=0)
        for what, settings in ablations(table).items():
            for label, setting in settings.items():
                experiment = f"{what}: {label}"
                if self._has(name, experiment, setting):
                    continue
                start = time.perf_counter()
                space, scores = self._scores(name, experiment, setting, rows, whole)
                scored, failed = scored_rows(rows, space, scores)
                result = {
                    "rows": len(scored),
                    "left out": len(failed),
                    "rho": _rhos(scored),
                    "saturation": asdict(analysis.saturation(scores.scored)),
                    "repeatability": _repeatability(scores, setting.repeats),
                }
                self._keep(name, experiment, setting, result, scores, start)

    def _read(self, table: Table) -> AccuracyTable:
        whole = rows_of(table, self.data)
        return replace(whole, rows=shuffled(whole.rows)[: table.most]) if table.most else whole

    def _scores(
        self,
        name: str,
        experiment: str,
        setting: Setting,
        rows: AccuracyTable,
        whole: AccuracyTable | None = None,
    ) -> tuple[SearchSpace, SearchResult]:
        return scores_of(
            f"{name}, {experiment}",
            setting,
            rows.rows,
            among=(whole or rows).rows,
            data=self.data,
            workers=self.workers,
        )

    def _has(self, name: str, experiment: str, setting: Setting) -> bool:
        known = self.results.get(name, {}).get(experiment)
        return known is not None and known["setting"] == json.loads(json.dumps(asdict(setting)))

    def _keep(
        self,
        name: str,
        experiment: str,
        setting: Setting,
        result: dict[str, Any],
        scores: SearchResult,
        start: float,
    ) -> None:
        made = {
            "setting": asdict(setting),
            "seconds": round(time.perf_counter() - start, 1),
            "seconds of scoring": round(
                sum(c.outcome.seconds for c in scores.candidates if c.outcome), 1
            ),
            "workers": self.workers,
            "swapnas_ext": swap.__version__,
            "torch": torch.__version__,
        }
        self.results.setdefault(name, {})[experiment] = {**made, **result}
        unfinished = RESULTS.with_suffix(".tmp")
        unfinished.write_text(_line_by_line(self.results))
        unfinished.replace(RESULTS)


def _line_by_line(results: Mapping[str, Mapping[str, Any]]) -> str:
    """JSON with one line per experiment."""
    tables = []
    for name, experiments in results.items():
        lines = (f"  {json.dumps(label)}: {json.dumps(v)}" for label, v in experiments.items())
        tables.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(tables) + "\n}\n"


def _rank(name: str, rows: list[ScoredRow]) -> Ranking:
    values = predictors(rows, None)[name]
    return rank(name, values, [row.row.accuracy for row in rows], seed=0)


def _rhos(rows: list[ScoredRow]) -> dict[str, float]:
    accuracies = np.array([row.row.accuracy for row in rows])
    values = predictors(rows, calibrated(rows))
    return {name: spearman(np.array(found), accuracies) for name, found in values.items()}


def _best_on_a_grid(found: Correlations) -> dict[str, float]:
    """The highest rho of any mu and sigma: the limit of calibration without labels."""
    accuracies = np.array([row.row.accuracy for row in found.rows])
    scores = np.array(found.predictors[RAW])
    sizes = np.array([row.parameters / 1e3 for row in found.rows])
    best = {"rho": spearman(scores, accuracies), "mu": 0.0, "sigma": float("inf")}
    for mu in np.linspace(0, 2 * sizes.max(), _GRID):
        far = (sizes - mu) ** 2
        for strength in np.logspace(-2, 2, _GRID):
            sigma = far.std() / (strength * scores.std())
            rho = spearman(scores - far / sigma, accuracies)
            if rho > best["rho"]:
                best = {"rho": rho, "mu": float(mu), "sigma": float(sigma)}
    return best


def _repeatability(scores: SearchResult, repeats: int) -> dict[str, Any] | None:
    told = analysis.repeatability(scores.scored, repeats)
    return told and asdict(told)


def _points(found: Correlations, most: int = 1500) -> list[tuple[float, float]]:
    """Some of the log-scores with their accuracies, for a figure."""
    step = -(-len(found.rows) // most)
    scores = found.predictors[RAW]
    return [
        (round(scores[place], 4), round(found.rows[place].row.accuracy, 3))
        for place in range(0, len(found.rows), step)
    ]


if __name__ == "__main__":
    main()
