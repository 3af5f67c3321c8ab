"""``swapnas correlate`` and ``swapnas analyze``, from a table of accuracies to a page."""

from __future__ import annotations

import csv
import itertools
import random
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from scipy import stats
from support.page_elements import PageElements
from support.searches import small_space

import swapnas_ext as swap
from swapnas_ext.cli import main
from swapnas_ext.report.correlation import page as correlation_page
from swapnas_ext.search import RunFile, listing
from swapnas_ext.search.progress import Progress
from swapnas_ext.search.workers import ThisProcess

SPACE = ("--space", "nasbench201", "--channels", "2", "--cells", "1")
SCORING = (*SPACE, "--samples", "12", "--size", "16", "--workers", "1")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No processes, and few resamples. Gives the architectures that are scored."""
    seen: list[str] = []

    class Here(ThisProcess):
        def submit(self, architectures: Sequence[str]) -> Any:
            seen.extend(architectures)
            return super().submit(architectures)

    monkeypatch.setattr(listing, "hire", lambda evaluator, workers: [Here(evaluator)])
    whole = stats.bootstrap

    def bootstrap(*args: Any, **options: Any) -> Any:
        return whole(*args, **{**options, "n_resamples": 9})

    monkeypatch.setattr(stats, "bootstrap", bootstrap)
    return seen


def architectures(count: int) -> list[str]:
    """Of different forms."""
    space, rng = small_space(), random.Random(0)
    found: dict[str, str] = {}
    while len(found) < count:
        text = space.sample(rng)
        found.setdefault(space.canonical(text), text)
    return list(found.values())


@pytest.fixture
def without_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take longer than the scores."""
    monkeypatch.setattr(correlation_page, "to_page", lambda *_: "")


ROWS = [
    (text, 50.0 + 10 * text.count("conv") + place / 10, place)
    for place, text in enumerate(architectures(24))
]


def write(path: Path, rows: Sequence[Sequence[object]] = ROWS) -> Path:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("arch", "val_acc", "nwot"), *rows])
    return path


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write(Path("table.csv"))


def test_from_a_table_to_a_page(table: Path) -> None:
    result = run("correlate", *SCORING, "--table", table, "--baseline", "nwot")
    assert result.exit_code == 0, result.output
    assert "table.csv, val_acc: 24 architectures; size-regularised SWAP-Score: mu " in result.stdout
    predictors = ["SWAP-Score", "size-regularised", "parameters", "FLOPs", "nwot"]
    number = r"-?\d\.\d{3}"
    interval = rf"{number} \[{number}, {number}\]"
    for name in predictors:
        assert re.search(rf"^{name} +{interval} +{interval} +{interval}$", result.stdout, re.M)
        assert re.search(rf"^{name} +\d+\.\d\d \(-\d+\.\d\d, rank \d+\)", result.stdout, re.M)
    assert "wrote table-nasbench201.csv, table-nasbench201.html, table-nasbench201.db" in (
        result.stderr
    )
    with open("table-nasbench201.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["architecture"] for row in rows] == [text for text, *_ in ROWS]
    assert [float(row["val_acc"]) for row in rows] == [accuracy for _, accuracy, _ in ROWS]
    assert [float(row["nwot"]) for row in rows] == [place for *_, place in ROWS]
    space = small_space()
    assert [int(row["params"]) for row in rows] == [space.size(text) for text, *_ in ROWS]
    scores, accuracies = ([float(row[name]) for row in rows] for name in ("patterns", "val_acc"))
    rho = stats.spearmanr(scores, accuracies).statistic
    assert re.search(rf"^SWAP-Score +{rho:.3f} ", result.stdout, re.M)


@pytest.mark.slow
def test_the_page_needs_nothing_else(table: Path) -> None:
    rows = [*ROWS, ("<b>no cell</b>", 1.0, 1), (ROWS[0][0], 2.0, 1)]
    write(table, rows)
    result = run("correlate", *SCORING, "--table", table, "--skip-bad", "--output", "page.html")
    assert result.exit_code == 0, result.output
    text = Path("page.html").read_text(encoding="utf-8")
    page = PageElements(text)
    assert len(page.charts) >= 4 + 3  # predictors; operations, sizes, saturation
    page.check_nothing_is_fetched()
    assert "2 rows are not in it" in text
    assert "&lt;b&gt;no cell" in text
    assert "<b>no cell" not in text


def interrupting(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the next command, when so many are scored."""
    module = sys.modules["swapnas_ext.cli.correlate"]
    whole = listing.score_listed

    def score(*args: Any, on_progress: Callable[[Progress], None], **options: Any) -> Any:
        def interrupt(progress: Progress) -> None:
            on_progress(progress)
            if progress.done >= after:
                raise KeyboardInterrupt

        monkeypatch.setattr(module, "score_listed", whole)
        return whole(*args, on_progress=interrupt, **options)

    monkeypatch.setattr(module, "score_listed", score)


@pytest.mark.slow
@pytest.mark.usefixtures("without_page")
def test_the_same_command_goes_on_after_ctrl_c(
    table: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("correlate", *SCORING, "--table", table)
    interrupting(8, monkeypatch)
    result = run(*command)
    assert result.exit_code == 130
    with RunFile.read(Path("table-nasbench201.db")) as run_file:
        done = len(run_file.candidates())
    assert 8 <= done < 24
    assert (
        f"interrupted: {done} networks are in table-nasbench201.db; the same command goes on"
        in (result.stderr)
    )
    assert not Path("table-nasbench201.csv").exists()
    quick.clear()
    resumed = run(*command)
    assert resumed.exit_code == 0, resumed.output
    assert len(quick) == 24 - done
    quick.clear()
    whole = run(*command, "--output", "whole")
    assert len(quick) == 24
    assert whole.stdout == resumed.stdout
    quick.clear()
    other = run(*command, "--accuracy", "nwot", "--limit", "10", "--seed", "0")
    assert other.exit_code == 0, other.output
    assert "table.csv, nwot: 10 architectures" in other.stdout
    assert quick == []


@pytest.mark.usefixtures("without_page")
def test_bad_rows(table: Path) -> None:
    write(table, [*ROWS[:12], ROWS[0], ("no cell", 1, 1), (ROWS[13][0], "nan", 1)])
    command = ("correlate", *SCORING, "--table", table)
    result = run(*command)
    assert result.exit_code == 2
    for part in (
        *("3 of 15 rows can't be used", "1 duplicate:", "1 unparsable:", "1 without an accuracy:"),
        *("row 14: the architecture of row 2", "val_acc is 'nan', not a finite number"),
        "leave them out (--skip-bad)",
    ):
        assert part in result.stderr
    assert list(Path().iterdir()) == [table]
    result = run(*command, "--skip-bad")
    assert result.exit_code == 0, result.output
    assert "3 of 15 rows can't be used" in result.stderr
    assert "they are left out" in result.stderr
    assert "12 architectures; 3 rows left out" in result.stdout


@pytest.mark.usefixtures("without_page")
@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (ROWS[:9], "SWAP-Score: only 9 rows: the intervals say little"),
        (ROWS[:2], "SWAP-Score: undefined: 2 rows, where at least 3 are needed"),
        (
            [(text, 5, 1) for text, *_ in ROWS[:10]],
            "SWAP-Score: undefined: all 10 accuracies are 5",
        ),
        ([(*row[:2], 3) for row in ROWS[:10]], "nwot: undefined: all 10 values are 3"),
        ([(*row[:2], "-") for row in ROWS[:10]], "nwot: 10 of 10 rows have no value"),
    ],
)
def test_what_can_not_be_told_is_said(rows: list[Any], told: str, table: Path) -> None:
    write(table, rows)
    result = run("correlate", *SCORING, "--table", table, "--baseline", "nwot")
    assert result.exit_code == 0, result.output
    assert told in result.stdout.splitlines()
    assert "nan" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--space", "nas"], "unknown search space 'nas'"),
        (["--table", "none.csv"], "there is no table none.csv"),
        (["--table", "."], "is a folder"),
        (["--table", "empty.csv"], "empty.csv is empty"),
        (["--table", "header.csv"], "header.csv has no rows"),
        (["--architecture", "x"], "table.csv has no column 'x'; it has: arch, val_acc, nwot"),
        (["--accuracy", "x"], "table.csv has no column 'x'"),
        (["--baseline", "x"], "table.csv has no column 'x'"),
        (["--architecture", "nwot"], "24 of 24 rows can't be used"),
        (["--accuracy", "arch"], "24 of 24 rows can't be used"),
        (["--mu", "3"], "mu and sigma go together"),
        (["--mu", "3", "--sigma", "-1"], "sigma positive"),
        (["--limit", "0"], "0 is not in the range"),
        (["--output", "none/x"], "there is no folder none"),
        (["--images", "none"], "no images at none"),
        (["--ray", "--ray-address", "auto"], "give one of them"),
        (["--device", "xyz"], "xyz"),
    ],
)
def test_bad_input(arguments: list[str], problem: str, table: Path) -> None:
    Path("empty.csv").touch()
    Path("header.csv").write_text("arch,val\n")
    result = run("correlate", *SCORING, "--table", table, *arguments)
    assert result.exit_code in (1, 2)
    assert problem in result.stderr
    assert "Traceback" not in result.output
    assert not list(Path().glob("*.db"))


@pytest.mark.usefixtures("without_page")
def test_a_run_file_of_other_settings(table: Path) -> None:
    command = ("correlate", *SCORING, "--table", table, "--limit", "6")
    assert run(*command).exit_code == 0
    before = Path("table-nasbench201.db").read_bytes()
    for arguments, problem in (
        (["--seed", "1"], "table-nasbench201.db was made with seed=0, not 1"),
        (["--repeats", "2"], "table-nasbench201.db was made with repeats=1, not 2"),
        (["--channels", "3"], "table-nasbench201.db was made with channels=2, not 3"),
    ):
        result = run(*command, *arguments)
        assert result.exit_code == 2
        assert problem in result.stderr
    assert Path("table-nasbench201.db").read_bytes() == before


def test_without_scipy(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    result = run("correlate", *SCORING, "--table", table)
    assert result.exit_code == 2
    assert "pip install 'swapnas-ext[correlate]'" in result.stderr
    assert list(Path().iterdir()) == [table]  # told before anything is scored


def test_networks_that_fail(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = swap.spaces.space_class("nasbench201")
    build, failing = space.build, ROWS[3][0]

    def build_or_fail(self: Any, architecture: str, **options: Any) -> Any:
        if architecture == failing:
            raise ValueError("it does not like this one")
        return build(self, architecture, **options)

    monkeypatch.setattr(space, "build", build_or_fail)
    result = run("correlate", *SCORING, "--table", table)
    assert result.exit_code == 0, result.output
    assert "23 architectures; 1 could not be scored" in result.stdout
    assert "ValueError: it does not like this one" in Path("table-nasbench201.html").read_text()
    with open("table-nasbench201.csv", newline="") as file:
        errors = {row["architecture"]: row["error"] for row in csv.DictReader(file)}
    assert errors.pop(failing) == "ValueError: it does not like this one"
    assert set(errors.values()) == {""}


# ---- analyze ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("without_page")
def test_analyze(table: Path) -> None:
    for samples, repeats in ((10, 2), (12, 1)):
        result = run(
            *("correlate", *SCORING, "--table", table, "--output", f"s{samples}"),
            *("--samples", samples, "--repeats", repeats),
        )
        assert result.exit_code == 0, result.output
    result = run("analyze", "s10.db", "s12.db", "--html", "page.html")
    assert result.exit_code == 0, result.output
    assert re.search(r"^nor_conv_3x3 +[+-]0\.\d\d ", result.stdout, re.M)
    assert re.search(r"^saturation: (none of 24 is|\d+ of 24 are) saturated", result.stdout, re.M)
    assert re.search(r"repeats: two rankings with 2 agree to 0\.\d+; repeats needed", result.stdout)
    assert re.search(r"^s12.db +12 +1 .* 1\.000$", result.stdout, re.M)
    page = PageElements(Path("page.html").read_text(encoding="utf-8"))
    assert page.charts == ["operations-score", "sizes", "saturation", "repeats"]
    page.check_nothing_is_fetched()
    result = run("analyze", "s12.db")
    assert "try --repeats 4" in result.stdout
    assert "\nrun " not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Missing argument"),
        (["none.db"], "there is no run file none.db"),
        (["table.csv"], "not a run file of swapnas"),
    ],
)
def test_files_that_can_not_be_analyzed(arguments: list[str], problem: str, table: Path) -> None:
    result = run("analyze", *arguments)
    assert result.exit_code in (1, 2)
    assert problem in result.stderr


@pytest.mark.parametrize("command", ["correlate", "analyze"])
def test_help(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output


def test_the_table_is_not_written_over(table: Path) -> None:
    before = table.read_bytes()
    result = run("correlate", *SCORING, "--table", table, "--output", "table")
    assert table.read_bytes() == before
    assert result.exit_code == 2


@pytest.mark.slow
def test_a_baseline_called_as_a_predictor_is_not_taken_for_it(table: Path) -> None:
    arguments = ("correlate", *SCORING, "--table", table)
    told = run(*arguments).stdout
    line = next(line for line in told.splitlines() if line.startswith("parameters"))
    table.write_text(table.read_text().replace("nwot", "parameters"))
    result = run(*arguments, "--baseline", "parameters")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert " ".join(line.split()) in lines
    assert any(line.startswith("parameters (table)") for line in lines)


def test_dollars_in_names_of_columns(table: Path) -> None:
    table.write_text(table.read_text().replace("nwot", "$x_$"))
    result = run("correlate", *SCORING, "--table", table, "--baseline", "$x_$")
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_scores_that_are_all_the_same_have_a_page(table: Path) -> None:
    arguments = ("--samples", "1", "--repeats", "2")
    result = run("correlate", *SCORING, "--table", table, *arguments)
    assert result.exit_code == 0, result.output


def test_one_size_is_said(table: Path) -> None:
    edges = itertools.product(("none", "skip_connect"), repeat=6)
    texts = [
        f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"
        for a, b, c, d, e, f in itertools.islice(edges, 9)
    ]
    write(table, [(text, place, 0) for place, text in enumerate(texts)])
    result = run("correlate", *SCORING, "--table", table)
    assert "no size-regularised score" in result.stdout


@pytest.mark.slow
def test_the_composite_score(table: Path) -> None:
    result = run("correlate", *SCORING, "--table", table, "--measure", "composite")
    assert result.exit_code == 0, result.output
    lines = [line.split()[0] for line in result.stdout.splitlines() if line]
    assert lines.index("SWAP-Score") == lines.index("composite") + 1
    with RunFile.read(Path("table-nasbench201.db")) as run_file:
        assert run_file.settings["scorer"]["init"] == "kaiming"
        assert run_file.settings["scorer"]["measure"] == "composite"
    result = run("correlate", *SCORING, "--table", table)
    assert "was made with" in result.stderr
