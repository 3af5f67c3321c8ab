"""``--config``, ``show --config``, option groups, the first line, and completion."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner, Result
from support.searches import essence

import swapnas_ext as swap
from swapnas_ext.cli import main
from swapnas_ext.search import RunFile, SearchSettings
from swapnas_ext.search.one_thread import one_thread

SEARCH = """
space = "nasbench201"
channels = 2
cells = 1
workers = 1
measure = "swap"
samples = 10

[search]
candidates = 12
population = 8
tournament = 4
target-params = ["3k"]
calibration = 8
seed = 2

[correlate]
table = "no-such.csv"
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def candidates_of(path: Path) -> list[object]:
    with RunFile.read(path) as run_file:
        return essence(run_file.candidates())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run by a configuration, and the beginning of what the command printed."""
    folder = tmp_path_factory.mktemp("config")
    config, path = folder / "run.toml", folder / "run.db"
    config.write_text(SEARCH)
    result = run("search", "--config", config, "--run", path)
    assert result.exit_code == 0, result.output
    return path, result.stderr


@pytest.mark.slow
def test_options_of_a_file_are_those_of_the_command_line(
    made: tuple[Path, str], tmp_path: Path
) -> None:
    path = tmp_path / "again.db"
    same = "--space nasbench201 --channels 2 --cells 1 --workers 1 --measure swap --samples 10 --candidates 12"
    rest = "--population 8 --tournament 4 --target-params 3k --calibration 8 --seed 2"
    result = run("search", *same.split(), *rest.split(), "--run", path)
    assert result.exit_code == 0, result.output
    assert candidates_of(path) == candidates_of(made[0])


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    config, path = tmp_path / "run.toml", tmp_path / "run.db"
    config.write_text(SEARCH)
    result = run(
        "search", "--config", config, "--run", path, "--candidates", 9, "--measure", "nwot"
    )
    assert result.exit_code == 0, result.output
    with RunFile.read(path) as run_file:
        assert run_file.settings["search"]["candidates"] == 9
        assert run_file.settings["scorer"]["measure"] == "nwot"


def test_a_printed_configuration_repeats_the_run(made: tuple[Path, str], tmp_path: Path) -> None:
    config, path = tmp_path / "printed.toml", tmp_path / "again.db"
    printed = run("show", made[0], "--config")
    assert printed.exit_code == 0, printed.output
    config.write_text(printed.stdout)
    result = run("search", "--config", config, "--run", path, "--workers", 1)
    assert result.exit_code == 0, result.output
    assert candidates_of(path) == candidates_of(made[0])
    with RunFile.read(path) as again, RunFile.read(made[0]) as first:
        assert again.settings == first.settings


@pytest.mark.slow
def test_a_configuration_repeats_a_correlation(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    space = swap.spaces.get("nasbench201", channels=2, cells=1)
    cells = list(space)[:1000:100]
    table, config = tmp_path / "mine.csv", tmp_path / "mine.toml"
    table.write_text("\n".join(["arch,acc", *(f"{cell},{n}" for n, cell in enumerate(cells))]))
    shared = ("--space", "nasbench201", "--channels", 2, "--cells", 1, "--workers", 1)
    first = run(
        "correlate",
        *shared,
        "--table",
        table,
        "--limit",
        8,
        "--output",
        tmp_path / "one",
        "--samples",
        6,
    )
    assert first.exit_code == 0, first.output
    config.write_text(run("show", tmp_path / "one.db", "--config").stdout)
    again = run("correlate", "--config", config, "--output", tmp_path / "two", "--workers", 1)
    assert again.exit_code == 0, again.output
    assert again.stdout == first.stdout


def test_resuming_by_a_file_with_other_settings(made: tuple[Path, str], tmp_path: Path) -> None:
    config = tmp_path / "other.toml"
    config.write_text("samples = 7\n")
    result = run("search", "--resume", made[0], "--config", config)
    assert result.exit_code == 2
    assert "was made with samples=10, not 7" in result.output


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("candidatez = 3", "no option candidatez; did you mean candidates?"),
        ("candidates = ", "is no TOML file"),
        ('candidates = "many"', "not a valid integer"),
        ("candidates = true", "candidates must be a number or a text, got True"),
        ("channels-last = 1", "channels-last must be true or false, got 1"),
        ("samples = 1.5", "'1.5' is neither a whole number from 1 on nor auto"),
        ("samples = -5", "'-5' is neither a whole number"),
        ("samples = inf", "'inf' is neither a whole number"),
        ("ray = 1", "ray must be true or false, got 1"),
        ("samples = { a = 1 }", "samples must be a number or a text"),
        (
            "space = 'darts'\n[serach]\ncandidates = 2",
            "and there is no such command; did you mean search?",
        ),
        ("max-params = '3 apples'", "is no number, nor one with a unit"),
        ("samples = 3\n[search]\nsample_s = 3", "did you mean samples?"),
    ],
)
def test_bad_files(text: str, problem: str, tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text(text)
    result = run("search", "--config", config, "--run", tmp_path / "run.db")
    assert result.exit_code == 2
    assert problem in result.output
    assert "bad.toml" in result.output
    assert not (tmp_path / "run.db").exists()


def test_no_such_file(tmp_path: Path) -> None:
    result = run("spaces", "--config", tmp_path / "none.toml")
    assert result.exit_code == 2
    assert "there is no such file" in result.output


def test_a_run_file_in_the_place_of_a_configuration(made: tuple[Path, str]) -> None:
    result = run("show", "--config", made[0])
    assert result.exit_code == 2
    assert f"its configuration: swapnas show {made[0]} --config" in result.output


def test_a_run_from_python_has_no_configuration(tmp_path: Path) -> None:
    space = swap.spaces.get("nasbench201", channels=2, cells=1)
    settings = SearchSettings(candidates=2, population=2, tournament=2)
    swap.search.search(space, settings=settings, history=tmp_path / "run.db")
    result = run("show", tmp_path / "run.db", "--config")
    assert result.exit_code == 2
    assert "was made in Python" in result.output


def test_the_first_line_says_what_is_measured(made: tuple[Path, str]) -> None:
    what = "measure patterns (SWAP-Score), Gaussian weights, seed 2"
    inputs = "10 samples of the bundled photograph (3 x 32 x 32)"
    assert made[1].splitlines()[0] == f"{what}, {inputs}, 1 repeat"


@pytest.mark.slow
def test_python_and_the_command_search_alike(tmp_path: Path) -> None:
    space = swap.spaces.get("nasbench201", channels=2, cells=1)
    settings = SearchSettings(candidates=10, population=6, tournament=3, seed=3)
    with one_thread():
        result = swap.search.search(space, settings=settings)
    text = "--space nasbench201 --channels 2 --cells 1 --candidates 10 --population 6 --tournament 3 --seed 3"
    command = run("search", *text.split(), "--workers", 1, "--run", tmp_path / "run.db")
    assert command.exit_code == 0, command.output
    assert essence(result.candidates) == candidates_of(tmp_path / "run.db")


@pytest.mark.parametrize("command", list(main.commands))
def test_every_command_takes_a_file(command: str) -> None:
    assert "--config" in [option for one in main.commands[command].params for option in one.opts]
    assert run(command, "--config", "none.toml", "run.db").exit_code == 2
    assert (
        "--config none.toml: there is no such file" in run(command, "--config", "none.toml").output
    )


def test_flags_and_arguments_of_a_file(made: tuple[Path, str], tmp_path: Path) -> None:
    config = tmp_path / "show.toml"
    path, _ = made
    config.write_text(f"run = '{path}'\n[show]\ndistinct = true\njson = false\ntop = 2\n")
    told = run("show", path, "--distinct", "--top", 2)
    assert "others alike" in told.output
    assert run("show", "--config", config).output == told.output


def test_help_has_groups() -> None:
    lines = run("search", "--help").output.splitlines()
    headings = [line for line in lines if re.fullmatch(r"[A-Z][a-z ]+:", line)]
    wanted = ["Search space:", "Strategy:", "Size and limits:", "Latency on other devices:"]
    wanted += ["Workers:", "Scoring:", "Messages:", "Options:"]
    assert headings == [*wanted, "Examples:"] or headings == wanted


def test_summaries_are_whole() -> None:
    text = " ".join(run("--help").output.split())
    assert "..." not in text.partition("Commands:")[2]
    for command in main.commands.values():
        summary = command.get_short_help_str(limit=10_000)
        assert summary.rstrip(".") in text


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["search", "--space"], "nasbench101"),
        (["search", "--measure"], "capacity"),
        (["search", "--strategy"], "ageing"),
        (["correlate"], "--table"),
    ],
)
def test_completion(words: list[str], found: str) -> None:
    complete = BashComplete(main, {}, "swapnas", "_SWAPNAS_COMPLETE")
    begun = found[:5]
    assert found in {item.value for item in complete.get_completions(words, begun)}
