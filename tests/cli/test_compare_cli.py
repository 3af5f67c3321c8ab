"""``swapnas compare``: text, page and JSON, and what it refuses."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.page_elements import PageElements
from support.run_files import SCORER, outcome, run_file, write_sessions

from swapnas_ext._util import exp_text
from swapnas_ext.cli import main
from swapnas_ext.report.comparison.contents import thinned
from swapnas_ext.report.comparison.styles import styles_of
from swapnas_ext.report.comparison.text import to_text
from swapnas_ext.search import BestSoFar, compare

SCORES = {"evolution": ((5, 3, 8, 20), (4, 4, 9, 30)), "random": ((5, 3, 6, 10), (2, 7, 7, 12))}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [
        run_file(
            tmp_path / f"{strategy}-{seed}.db",
            [outcome(score, flops=100) for score in scores],
            strategy=strategy,
            seed=seed,
        )
        for strategy, of_seeds in SCORES.items()
        for seed, scores in enumerate(of_seeds, start=1)
    ]


def test_text(paths: list[Path]) -> None:
    result = run(*paths, "--top", 2)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "nasbench201, by SWAP-Score: 4 runs: 2 of evolution, 2 of random"
    assert ["strategy", "evolution", "random"] in [line.split() for line in lines]
    assert ["seed", "1,", "2", "1,", "2"] in [line.split() for line in lines]
    assert ["evolution", "2", "25", "20", "30", "4.0", "4.0"] in [line.split() for line in lines]
    assert ["random-1", "10", "4", "4.0", "25%", "0%"] in [line.split() for line in lines]
    assert "to reach: until a score of 10, which all runs reached" in lines
    blocks = [line for line in lines if "█" in line and line.startswith("evolution-2")]
    assert len(blocks) == 2 and all(line.endswith("█  30") for line in blocks)
    assert ["1", "evolution-1", "2", "2", "2", "1"] in [line.split() for line in lines]
    assert ["params", "score", "run"] in [line.split() for line in lines]
    assert max(map(len, to_text(compare(paths, top=2), 80).splitlines())) <= 80


def test_no_line_is_wider_than_the_terminal(paths: list[Path]) -> None:
    """With a name of the longest kind, large scores, and everything that has a column."""
    long = paths[0].with_name("a-rather-long-name-of-a-run-file.db")
    rows = [outcome(1.234567e-10, flops=100), outcome(None), outcome(9.87654e12, flops=10**9)]
    run_file(long, rows, ended="interrupted", seed=3, sessions=[(1000.0, 1001.0), (1500.0, None)])
    for width in range(40, 121, 10):
        lines = to_text(compare([*paths, long]), width).splitlines()
        assert max(map(len, lines)) <= width, max(lines, key=len)


def test_settings_in_words(tmp_path: Path) -> None:
    first = run_file(
        tmp_path / "first.db",
        [outcome(3)],
        target_params=(500_000.0, 1_250_000.0),
        max_flops=1.5e8,
        max_latency=0.02,
        scorer={**SCORER, "channels_last": True, "select": "None", "tolerance": 0.01},
    )
    second = run_file(
        tmp_path / "second.db",
        [outcome(3)],
        max_peak_memory=64e6,
        scorer={**SCORER, "channels_last": False, "select": "('a.*',)", "tolerance": None},
    )
    lines = [line.split(None, 1) for line in run(first, second).stdout.splitlines()]
    told = {line[0]: line[1].split("  ") for line in lines if len(line) == 2}
    shown = {name: [cell.strip() for cell in cells if cell.strip()] for name, cells in told.items()}
    assert shown["target_params"] == ["500k, 1.25M", "-"]
    assert shown["max_flops"] == ["150 MFLOPs", "-"]
    assert shown["max_latency"] == ["20 ms", "-"]
    assert shown["max_peak_memory"] == ["-", "64 MB"]
    assert shown["channels_last"] == ["yes", "no"]
    assert shown["select"] == ["-", "('a.*',)"]
    assert shown["tolerance"] == ["0.01", "-"]


def test_in_a_few_lines(paths: list[Path]) -> None:
    lines = str(compare(paths)).splitlines()
    assert lines[0] == "nasbench201, by patterns: 4 runs: 2 of evolution, 2 of random"
    assert lines[1] == "  evolution-1: best 20 of 4 candidates in 20.0 s" and len(lines) == 5


def test_json(paths: list[Path]) -> None:
    result = run(*paths, "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["measure"] == "patterns" and content["notes"] == []
    assert [one["best"]["score"] for one in content["runs"]] == pytest.approx([20, 30, 10, 12])
    assert content["runs"][0]["over_candidates"]["candidates"] == [1, 3, 4]
    assert content["repeats"][0]["best"]["mean"]["score"] == pytest.approx(25)
    assert content["differing"]["search.strategy"] == ["evolution"] * 2 + ["random"] * 2
    assert [front["cost"] for front in content["fronts"]] == ["parameters", "flops"]
    assert len(content["overlap"]) == 4
    assert content["common_best"]["score"] == pytest.approx(10)


def test_page(paths: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run(*paths, "--html", page)
    assert result.exit_code == 0 and result.stderr == f"wrote {page}\n", result.output
    text = page.read_text()
    shown = PageElements(text)
    shown.check_nothing_is_fetched()
    styles = styles_of(compare(paths))
    assert len({styles[path.stem].color for path in paths}) == 2  # one for each setting
    assert len({(style.color, style.dashes) for style in styles.values()}) == 4
    for name, style in styles.items():
        marks = re.findall(
            rf'stroke="([^"]+)"[^>]*stroke-dasharray="([^"]*)"/></svg> (?:\d )?{name}<', text
        )
        dashes = " ".join(map(str, style.dashes)) or "none"
        assert len(marks) == 4 + 3  # the legends of charts, three tables
        assert set(marks) == {(style.color, dashes)}
        assert f'"{style.color}"' in text  # a line of a chart
    assert shown.charts == [
        *("over-candidates", "over-seconds", "repeats", "front-parameters", "front-flops")
    ]


def test_names_and_values_of_any_kind(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>.db".replace("/", "_"), "$x_1$ é \x1b[31m.db", "_hidden.db"]
    paths = [
        run_file(
            tmp_path / name,
            [outcome(3), outcome(4)],
            scorer={**SCORER, "note": "\x1b]0;<i>" + "x" * 99 + name},
        )
        for name in names
    ]
    result = run(*paths)
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    page = tmp_path / "page.html"
    assert run(*paths, "--html", page).exit_code == 0
    text = page.read_text()
    shown = PageElements(text)
    assert "<script>alert" not in text and "i" not in shown.tags and "\x1b" not in text
    assert html.escape("$x_1$ é \N{REPLACEMENT CHARACTER}[31m") in text


def test_where_scores_are_not_compared(paths: list[Path], tmp_path: Path) -> None:
    other = run_file(tmp_path / "other.db", [outcome(1e9)], scorer={**SCORER, "samples": 64})
    result = run(*paths, other)
    assert result.exit_code == 0
    assert (
        "samples differs (16: evolution-1, evolution-2, random-1 and 1 more; 64: other)"
        in result.stdout
    )
    assert "best so far" not in result.stdout and "█" not in result.stdout
    assert "cost:" in result.stdout and "shared architectures" in result.stdout
    page = tmp_path / "page.html"
    assert run(*paths, other, "--html", page).exit_code == 0
    text = page.read_text()
    assert not PageElements(text).charts and "vega" not in text
    assert json.loads(run(*paths, other, "--json").stdout)["runs"][0]["best"]["score"] is None


def test_scores_beyond_floats(tmp_path: Path) -> None:
    rows = [replace(outcome(1.0), score=float("inf"), log_score=2000.0 + n) for n in range(3)]
    paths = [run_file(tmp_path / f"{seed}.db", rows, seed=seed) for seed in range(2)]
    result = run(*paths)
    assert result.exit_code == 0 and "exp(2002)" in result.stdout
    assert run(*paths, "--html", tmp_path / "page.html").exit_code == 0
    assert json.loads(run(*paths, "--json").stdout)["common_best"] == {
        "score": None,
        "log_score": 2002,
    }
    assert [exp_text(value) for value in (0.0, 2000.0, -2000.0, float("nan"))] == [
        *("1", "exp(2000)", "exp(-2000)", "-")
    ]


def test_runs_with_nothing(tmp_path: Path) -> None:
    paths = [run_file(tmp_path / f"{seed}.db", [], seed=seed, ended="") for seed in range(2)]
    result = run(*paths)
    assert result.exit_code == 0 and "no run has scored anything" in result.stdout
    assert run(*paths, "--html", tmp_path / "page.html").exit_code == 0


def test_curves_that_begin_late_have_a_scale(tmp_path: Path) -> None:
    """Workers take their time to start."""
    paths = [
        run_file(
            tmp_path / f"{seed}.db",
            [outcome(score) for score in range(1 + seed, 9)],
            seed=seed,
            sessions=[(900.0, 1010.0)],
        )
        for seed in range(2)
    ]
    _, _, over_seconds = run(*paths).stdout.partition("seconds (")
    assert over_seconds.startswith("▁ up to 1, █ 8)")
    blocks = over_seconds.splitlines()[1].split()[1]
    assert len(set(blocks)) > 1  # without a range of scores, all are full


def test_long_curves_are_thinned() -> None:
    curve = BestSoFar.of((place, float(place)) for place in range(1, 10_001))
    at, log_scores = thinned(curve)
    assert len(at) <= 301 and at[0] == 1 and at[-1] == 10_000 and log_scores[-1] == 10_000
    assert all(curve.value_at(place) == value for place, value in zip(at, log_scores, strict=True))
    assert at == sorted(at)
    short = BestSoFar.of([(1, 2.0), (7, 3.0)])
    assert thinned(short) == ([1, 7], [2.0, 3.0]) and thinned(BestSoFar((), ())) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("evolution-1.db",),
            "give two runs or more to compare, got only evolution-1; swapnas show",
        ),
        (("evolution-1.db", "evolution-1.db"), "is given twice"),
        (("evolution-1.db", "none.db"), "there is no run file none.db"),
        (("evolution-1.db", "text.db"), "not a run file"),
        (("evolution-1.db", "darts.db"), "darts.db one of darts: runs of different spaces"),
        (("evolution-1.db", "damaged.db"), "is damaged: its sessions are [[5]]"),
        (("evolution-1.db", "random-1.db", "--measure", "nwot"), "has no scores by nwot"),
        (("evolution-1.db", "random-1.db", "--json", "--html", "x.html"), "give one of --json and"),
        (("evolution-1.db", "random-1.db", "--html", "random-1.db"), "would overwrite a run file"),
        (("evolution-1.db", "random-1.db", "--html", "."), "is a directory"),
        (("evolution-1.db", "random-1.db", "--top", "0"), "--top"),
        ((), "Missing argument"),
    ],
)
def test_errors(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    folder = paths[0].parent
    monkeypatch.chdir(folder)
    (folder / "text.db").write_text("no database")
    run_file(folder / "darts.db", [outcome(1)], space={"name": "darts"})
    write_sessions(run_file(folder / "damaged.db", [outcome(1)]), [[5]])
    result = run(*arguments)
    assert result.exit_code == 2 and message in " ".join(result.output.split()), result.output
    assert "Traceback" not in result.output
    assert (folder / "random-1.db").stat().st_size > 1000


def test_options_from_a_file(paths: list[Path], tmp_path: Path) -> None:
    config = tmp_path / "options.toml"
    config.write_text("[compare]\ntop = 3\njson = true\n")
    result = run(*paths, "--config", config)
    assert result.exit_code == 0 and json.loads(result.stdout)["top"] == 3


def test_help_has_examples() -> None:
    result = run("--help")
    assert result.exit_code == 0 and "swapnas compare evolution.db random.db" in result.output
