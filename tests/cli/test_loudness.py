"""``--quiet`` and ``--verbose``: stdout is the result, and the same with each; stderr has more or less."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.run_files import outcome, run_file

from swapnas_ext.cli import main
from swapnas_ext.cli.loudness import Loudness, is_quiet, told
from swapnas_ext.cli.worker_options import Hands

CELLS = (
    "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|",
    "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_1x1~0|+|none~0|nor_conv_1x1~1|+|none~0|skip_connect~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|skip_connect~1|nor_conv_3x3~2|",
)
SPACE = ("--space", "nasbench201", "--channels", "2", "--cells", "1")
SCORING = (*SPACE, "--samples", "8", "--size", "16")
LINE = re.compile(r"^\d\d:\d\d:\d\d (DEBUG|INFO|WARNING) +swapnas_ext\.[\w.]+: ", re.M)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    found = [outcome(score) for score in (50.0, 30.0, 20.0)]
    return run_file(tmp_path / "run.db", found, architectures=CELLS[:3])


@pytest.fixture
def commands(run_path: Path, tmp_path: Path) -> dict[str, list[object]]:
    """Quick ones, which say the same each time."""
    other = run_file(tmp_path / "other.db", [outcome(9.0)], architectures=CELLS[3:], seed=2)
    page = tmp_path / "page.html"
    return {
        "score": [*SCORING, "--arch", CELLS[0], "--arch", CELLS[1], "--format", "csv"],
        "show": [run_path, "--html", page],
        "compare": [run_path, other, "--html", page],
        "analyze": [run_path, "--html", page],
        "export": [*SPACE, "--arch", CELLS[0], "--format", "json"],
        "measures": [],
        "spaces": [],
        "info": [],
    }


NAMES = ("score", "show", "compare", "analyze", "export", "measures", "spaces", "info")


def result_of(stdout: str) -> str:
    """Without the times that it took."""
    return re.sub(r"(,[\d.e-]+){3}(?=,*$)", "", stdout, flags=re.M)


@pytest.mark.parametrize("name", NAMES)
def test_stdout_is_the_same(name: str, commands: dict[str, list[object]]) -> None:
    rest = commands[name]
    normal = run(name, *rest)
    assert normal.exit_code == 0, normal.output
    has_notes = name in ("score", "show", "compare", "analyze")
    assert bool(normal.stderr) == has_notes
    assert not LINE.search(normal.stderr)
    for arguments in (["--quiet", name, *rest], [name, *rest, "-q"]):
        quiet = run(*arguments)
        assert quiet.exit_code == 0 and quiet.stderr == ""
        assert result_of(quiet.stdout) == result_of(normal.stdout)
    for arguments in (["-v", name, *rest], [name, *rest, "--verbose"]):
        verbose = run(*arguments)
        assert verbose.exit_code == 0
        assert result_of(verbose.stdout) == result_of(normal.stdout)
        notes = [line for line in verbose.stderr.splitlines() if not LINE.match(line)]
        assert notes == normal.stderr.splitlines()
    if name == "score":
        assert LINE.search(verbose.stderr)
    assert not is_quiet()


def test_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hands, "get", lambda *_: None)  # in this process
    small = (*SCORING, "--workers", "1", "--candidates", "4", "--measure", "swap")
    quiet = run("search", *small, "--run", tmp_path / "quiet.db", "--quiet")
    assert quiet.exit_code == 0 and quiet.stderr == "", quiet.output
    assert len(quiet.stdout.splitlines()) == 5
    found = run("--verbose", "search", *small, "--run", tmp_path / "told.db")
    assert found.stdout == quiet.stdout
    assert "measure patterns (SWAP-Score), Gaussian weights" in found.stderr
    assert f"all results: swapnas show {tmp_path}/told.db\n" in found.stderr
    assert "INFO    swapnas_ext.search.entry_points: searches nasbench201" in found.stderr
    assert (
        len(re.findall(r"DEBUG   swapnas_ext.search.candidate: candidate \d: ", found.stderr)) == 4
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["measures", "--quiet", "--verbose"],
        ["-q", "measures", "-v"],
        ["-q", "-v", "measures"],
        ["measures", "-qv"],
    ],
)
def test_one_of_them(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert "give one of --quiet and --verbose" in result.stderr


def test_errors_are_told_however_quiet(tmp_path: Path) -> None:
    result = run("show", tmp_path / "none.db", "--quiet")
    assert result.exit_code == 2 and "there is no run file" in result.stderr
    result = run("-q", "show")
    assert result.exit_code == 2 and "Missing argument" in result.stderr


def test_from_a_file(run_path: Path, tmp_path: Path) -> None:
    page, config = tmp_path / "page.html", tmp_path / "options.toml"
    config.write_text("quiet = true\n")
    arguments = ("show", run_path, "--html", page, "--config", config)
    assert run(*arguments).stderr == ""
    assert run(*arguments, "--verbose").stderr == f"wrote {page}\n"
    assert run("--verbose", *arguments).stderr == f"wrote {page}\n"
    config.write_text("[show]\nquiet = true\nverbose = true\n")
    assert "give one of --quiet and --verbose" in run(*arguments).stderr
    assert run(*arguments, "-q").stderr == ""


@pytest.mark.parametrize("name", sorted(main.commands))
def test_help_has_them_in_a_group(name: str) -> None:
    text = run(name, "--help").stdout
    assert re.search(r"^Messages:\n  -q, --quiet .*\n(.+\n)*  -v, --verbose ", text, re.M)


def test_warnings_have_no_line_of_code(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("swapnas_ext.search.workers.crew")
    for loudness, wanted in (
        (Loudness.QUIET, ""),
        (Loudness.NORMAL, "warning: some are left out\nwarning: a worker died\n"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            with told(loudness):
                warnings.warn("some are left out", UserWarning, stacklevel=1)
                logger.warning("a %s died", "worker")
                logger.info("not told")
        assert capsys.readouterr().err == wanted
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with told(Loudness.VERBOSE):
            warnings.warn("some are left out", UserWarning, stacklevel=1)
    assert re.search(r"test_loudness.py:\d+: UserWarning: some", capsys.readouterr().err)


def test_nothing_is_left_behind() -> None:
    logger = logging.getLogger("swapnas_ext")
    before = logger.level, list(logger.handlers), warnings.showwarning
    with pytest.raises(KeyError), told(Loudness.VERBOSE):
        assert logger.level == logging.DEBUG
        raise KeyError
    assert (logger.level, logger.handlers, warnings.showwarning) == before
    assert not is_quiet()


def test_control_characters_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    with told(Loudness.VERBOSE):
        logging.getLogger("swapnas_ext.search").warning("clear \x1b[2J")
    assert "\x1b" not in capsys.readouterr().err


def test_a_root_logger_that_is_set_up_gets_nothing_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, logger = logging.getLogger(), logging.getLogger("swapnas_ext.search")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("root: %(message)s"))
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.INFO)
    try:
        for loudness, times in ((Loudness.QUIET, 0), (Loudness.NORMAL, 0), (Loudness.VERBOSE, 1)):
            with told(loudness):
                logger.info("a line")
            assert capsys.readouterr().err.count("a line") == times
        logger.info("a line")
        assert capsys.readouterr().err == "root: a line\n"
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@pytest.mark.parametrize("asked", ["error", None])
def test_processes_of_a_quiet_command_show_no_warnings(
    asked: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONWARNINGS", raising=False)
    if asked:
        monkeypatch.setenv("PYTHONWARNINGS", asked)
    with told(Loudness.QUIET):
        assert os.environ["PYTHONWARNINGS"] == (asked or "ignore")
    assert os.environ.get("PYTHONWARNINGS") == asked
    with told(Loudness.NORMAL):
        assert os.environ.get("PYTHONWARNINGS") == asked
