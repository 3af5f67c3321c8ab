"""Several measures in one command: each in every table, and a missing one alone is missing."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from scipy import stats
from support.page_elements import PageElements

import swapnas_ext as swap
from swapnas_ext.cli import main
from swapnas_ext.search import RunFile, entry_points, listing
from swapnas_ext.search.workers import ThisProcess

CELLS = [
    f"|{first}~0|+|skip_connect~0|{second}~1|+|none~0|{third}~1|nor_conv_1x1~2|"
    for first in ("nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
    for second in ("nor_conv_3x3", "nor_conv_1x1")
    for third in ("nor_conv_3x3", "skip_connect")
]
PICKY, SMALLNESS = "support.odd_measures:picky", "support.odd_measures:smallness"
SPACE = ("--space", "nasbench201", "--channels", "2", "--cells", "1")
SCORING = (*SPACE, "--samples", "8", "--size", "8")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No processes, few resamples, an empty folder."""
    for module in (listing, entry_points):
        monkeypatch.setattr(module, "hire", lambda evaluator, workers: [ThisProcess(evaluator)])
    whole = stats.bootstrap

    def bootstrap(*args: Any, **options: Any) -> Any:
        return whole(*args, **{**options, "n_resamples": 9})

    monkeypatch.setattr(stats, "bootstrap", bootstrap)
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def scored(measures: str, *options: object, cells: Sequence[str] = CELLS) -> Result:
    chosen = [word for cell in cells for word in ("--arch", cell)]
    result = run("score", *SCORING, *chosen, "--measure", measures, *options)
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.slow
def test_score_has_a_column_of_each() -> None:
    rows = json.loads(scored("swap,nwot,params", "--format", "json").stdout)
    assert [list(row["log_scores"]) for row in rows] == [["patterns", "nwot", "params"]] * len(
        CELLS
    )
    assert [row["log_score"] for row in rows] == [row["log_scores"]["patterns"] for row in rows]
    assert rows == sorted(rows, key=lambda row: -row["log_score"])
    table = scored("swap,nwot,params").stdout.splitlines()
    assert re.split("  +", table[0].strip())[:4] == [
        "rank",
        "ln SWAP-Score",
        "ln NWOT",
        "ln parameters",
    ]
    assert table[1].split()[1] == f"{rows[0]['log_scores']['patterns']:.6g}"
    (first, *_) = csv.DictReader(io.StringIO(scored("swap,nwot", "--format", "csv").stdout))
    assert float(first["log_score_nwot"]) == pytest.approx(rows[0]["log_scores"]["nwot"])


def test_one_measure_has_the_columns_that_it_had() -> None:
    (row,) = json.loads(scored("swap", "--format", "json", cells=CELLS[:1]).stdout)
    assert "log_scores" not in row


@pytest.mark.slow
def test_score_tells_what_is_missing_and_lists_it_last() -> None:
    result = scored(f"{PICKY},swap", "--format", "json")
    found = [row["log_scores"] for row in json.loads(result.stdout)]
    missing = [one["picky"] is None for one in found]
    assert any(missing)
    assert missing == sorted(missing)
    assert all(one["patterns"] is not None for one in found)
    lines = [line for line in result.stderr.splitlines() if "no picky: ValueError: " in line]
    assert len(lines) == sum(missing)
    assert result.stderr.count("the score is that of patterns") == sum(missing)
    table = scored(f"{PICKY},swap").stdout.splitlines()
    assert table[-1].split()[1] == "-"


def test_all_needs_one_measure() -> None:
    result = run("score", *SCORING, "--all", "--measure", "swap,nwot")
    assert result.exit_code == 2
    assert "--all writes the scores of one measure, got --measure swap,nwot" in result.output


def test_search_ranks_by_the_first_alone() -> None:
    options = ("--strategy", "random", "--candidates", "24", "--workers", "1", "--run", "run.db")
    result = run("search", *SCORING, *options, "--measure", f"{PICKY},swap")
    assert result.exit_code == 0, result.output
    with RunFile.read(Path("run.db")) as run_file:
        candidates = run_file.candidates()
    failed = [one for one in candidates if not one.scored]
    assert 0 < len(failed) < len(candidates)
    for one in failed:
        assert one.outcome is not None
        assert "no picky: ValueError: " in (one.outcome.error or "")
    assert {one.score_of for one in candidates if one.scored} == {"picky"}
    told = json.loads(run("show", "run.db", "--json").stdout)
    assert told["caveats"] == swap.correlation.caveats([one for one in candidates if one.scored])


@pytest.mark.slow
def test_search_and_show_tell_that_measures_disagree() -> None:
    options = ("--strategy", "random", "--candidates", "24", "--workers", "1", "--run", "run.db")
    result = run("search", *SCORING, *options, "--measure", f"swap,{SMALLNESS}")
    assert result.exit_code == 0, result.output
    line = "other measures rank these unlike SWAP-Score (Spearman's rho: smallness -"
    assert line in result.stderr
    shown = run("show", "run.db").stdout
    assert line in shown
    assert re.search(r"^rank +score +params +ln smallness +architecture$", shown, re.M)
    best = json.loads(run("show", "run.db", "--json").stdout)["best"][0]
    assert best["log_scores"]["smallness"] < 0
    assert best["log_scores"]["patterns"] == pytest.approx(best["log_score"])
    assert run("show", "run.db", "--html", "run.html").exit_code == 0
    assert line in PageElements(Path("run.html").read_text()).text
    result = run("analyze", "run.db", "--html", "analysis.html")
    assert line in result.stderr
    assert re.search(r"^SWAP-Score +24 +-0\.\d+ +-$", result.stdout, re.M), result.stdout
    assert "Which measures agree" in Path("analysis.html").read_text()


@pytest.mark.slow
def test_correlate_has_all_in_one_table() -> None:
    lines = ["arch,accuracy", *(f"{cell},{70 + cell.count('conv')}" for cell in CELLS)]
    Path("table.csv").write_text("\n".join(lines))
    command = ("correlate", *SCORING, "--workers", "1", "--table", "table.csv")
    result = run(*command, "--measure", f"swap,nwot,{PICKY},params")
    assert result.exit_code == 0, result.output
    for name in ("SWAP-Score", "NWOT", "picky", "parameters", "FLOPs", "size-regularised"):
        assert re.search(rf"^{name} +-?\d\.\d+ \[", result.stdout, re.M), result.stdout
    for pair in ("SWAP-Score - parameters", "NWOT - SWAP-Score", "picky - parameters"):
        assert re.search(rf"^{pair} +-?\d\.\d+ \[.*(better|worse)", result.stdout, re.M)
    assert re.search(r"^no picky for 6 of 12: ValueError", result.stdout, re.M)
    assert "have no value" not in result.stdout
    with open("table-nasbench201.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    errors = [row["error"] for row in rows]
    assert all(("no picky: ValueError" in row["error"]) == (row["picky"] == "") for row in rows)
    assert 0 < sum(map(bool, errors)) < len(rows)
    page = Path("table-nasbench201.html").read_text()
    assert "Better than what?" in page
    assert "Which measures agree" in page


def test_unknown_names_list_the_known() -> None:
    result = run("score", *SCORING, "--arch", CELLS[0], "--measure", "swap,nwott")
    assert result.exit_code == 2
    assert "'nwott'" in result.output
    assert "synflow" in result.output
