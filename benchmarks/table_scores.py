"""Scores the rows of a benchmark table at a setting, or reads the scores that there are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from certificate_tables import Setting, Table

import swapnas_ext as swap
from swapnas_ext.cli.progress import progress_bar
from swapnas_ext.correlation.accuracy_table import AccuracyTable, Row, read_table
from swapnas_ext.search import SearchResult, score_listed
from swapnas_ext.spaces import SearchSpace

RUNS = Path(__file__).parent.parent / "build" / "certificate"


def rows_of(table: Table, data: Path) -> AccuracyTable:
    return read_table(
        data / table.file,
        table.setting.get_space(),
        accuracy=table.accuracy,
        baselines=table.baselines,
        skip_bad=True,
    )


def scores_of(
    label: str,
    setting: Setting,
    rows: Sequence[Row],
    *,
    among: Sequence[Row],
    data: Path,
    workers: int,
) -> tuple[SearchSpace, SearchResult]:
    """Reads or fills the run file of the setting, which several experiments may share.

    Args:
        label: what the progress bar shows.
        among: all rows of the table: of those with one canonical form, the smallest is scored.

    Raises:
        KeyboardInterrupt: the run file keeps the finished scores.
    """
    space = setting.get_space()
    scorer = swap.Scorer(
        setting.inputs(data),
        repeats=setting.repeats,
        init=setting.init,
        seed=setting.seed,
        measure=setting.measure,
    )
    digest = hashlib.sha256(json.dumps(asdict(setting), sort_keys=True).encode()).hexdigest()
    RUNS.mkdir(parents=True, exist_ok=True)
    with progress_bar(label, len(rows)) as on_progress:
        scores = score_listed(
            space,
            scorer,
            [row.architecture for row in rows],
            among=[row.architecture for row in among],
            workers=workers,
            history=RUNS / f"{setting.space}-{digest[:12]}.db",
            on_progress=on_progress,
        )
    if scores.interrupted:
        raise KeyboardInterrupt
    return space, scores
