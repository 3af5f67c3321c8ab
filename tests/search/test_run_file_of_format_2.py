"""Run files that version 0.1.0 wrote, halfway through a search, are read and continued."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import torch

import swapnas_ext as swap
from swapnas_ext.search import RunFile, RunFileError, SearchResult, SearchSettings, search

RECORDED = 25
INITS = {"patterns": "gaussian", "composite": "kaiming"}


def _run_file(folder: Path, measure: str, change: str = "") -> Path:
    path = folder / "run.db"
    with sqlite3.connect(path) as connection:
        dump = Path(__file__).with_name(f"format_2_{measure}.sql").read_text()
        connection.executescript(dump + change)
    connection.close()
    return path


def _rows(path: Path) -> list[dict[str, object]]:
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM candidate ORDER BY number")]


def _inputs() -> torch.Tensor:
    values = torch.arange(12 * 3 * 16 * 16) * 7919 % 257 - 128
    return values.reshape(12, 3, 16, 16) / 128


@pytest.mark.parametrize("measure", INITS)
def test_it_is_read_as_it_is(tmp_path: Path, measure: str) -> None:
    path = _run_file(tmp_path, measure)
    before = path.read_bytes()
    with RunFile.read(path) as run_file:
        candidates = run_file.candidates()
    assert path.read_bytes() == before
    rows = _rows(path)
    assert len(candidates) == len(rows) == RECORDED
    for candidate, row in zip(candidates, rows, strict=True):
        outcome = candidate.outcome
        assert outcome is not None
        assert (candidate.number, candidate.form) == (row["number"], row["form"])
        assert (outcome.over, outcome.flops) == (row["over"], row["flops"])
        if not candidate.scored:
            assert outcome.over == "flops" and outcome.measure is None
            continue
        assert outcome.measure == measure
        assert (outcome.patterns, outcome.patterns_std) == (row["patterns"], row["patterns_std"])
        assert (outcome.neurons, outcome.saturation) == (row["neurons"], row["saturation"])
        if measure == "patterns":
            assert candidate.score == row["patterns"]
            assert candidate.log_score == math.log(row["patterns"])
            assert outcome.spread == row["patterns_std"] / row["patterns"]
            assert candidate.is_saturated == bool(row["saturated"])
        else:
            assert candidate.log_score == row["log_composite"]
            assert candidate.has_heavy_tails and not candidate.is_saturated
    assert any(not candidate.scored for candidate in candidates)


@pytest.mark.slow
@pytest.mark.parametrize("measure", INITS)
def test_it_is_continued(tmp_path: Path, measure: str) -> None:
    path = _run_file(tmp_path, measure)
    with RunFile.read(path) as run_file:
        recorded = run_file.candidates()
    space = swap.spaces.get("nasbench201", channels=4, cells=1)
    options: dict[str, Any] = {"init": INITS[measure], "measure": measure, "repeats": 2}
    scorer = swap.Scorer(_inputs(), **options, fast_layers=False)
    settings = SearchSettings(candidates=40, population=10, tournament=4, seed=3, max_flops=3.5e6)
    with pytest.raises(ValueError, match="was made with fast_layers=False, not True"):
        search(space, swap.Scorer(_inputs(), **options), settings, history=path)
    found = search(space, scorer, settings, history=path)
    assert len(found.candidates) == 40
    with RunFile.read(path) as run_file:
        assert run_file.candidates()[:RECORDED] == recorded
        assert SearchResult.of(run_file).candidates == found.candidates
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE candidate SET patterns = 'x' WHERE number = 1;",
        "UPDATE candidate SET patterns = -1.0 WHERE number = 1;",
        "UPDATE candidate SET ternary = 'x' WHERE number = 1;",
        "UPDATE candidate SET parents = '[' WHERE number = 1;",
    ],
)
def test_a_damaged_one_is_told(tmp_path: Path, change: str) -> None:
    path = _run_file(tmp_path, "patterns", change)
    before = _rows(path)
    for opened in (RunFile.read, RunFile.resume):
        with pytest.raises(RunFileError, match=r"run\.db is damaged"), opened(path) as run_file:
            run_file.candidates()
    assert _rows(path) == before


def test_the_first_files_lack_columns(tmp_path: Path) -> None:
    columns = ("ternary", "saturated", "latency_low", "latency_high")
    drop = "".join(f"ALTER TABLE candidate DROP COLUMN {name};" for name in columns)
    high = "UPDATE candidate SET saturation = 0.96 WHERE number = 0;"
    above = "UPDATE candidate SET saturation = 5.0 WHERE number = 1;"  # of ternary patterns
    path = _run_file(tmp_path, "patterns", drop + high + above)
    with RunFile.read(path) as run_file:
        candidates = run_file.candidates()
    assert {candidate.ternary for candidate in candidates} == {None}
    assert [candidate.is_saturated for candidate in candidates[:3]] == [True, False, False]
    with RunFile.resume(path) as run_file:
        assert run_file.candidates() == candidates
