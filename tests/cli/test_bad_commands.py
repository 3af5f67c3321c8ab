"""Bad command lines: one clear sentence and exit code 2, whatever is wrong."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from swapnas_ext.cli import main
from swapnas_ext.search import entry_points as search_run
from swapnas_ext.search import listing
from swapnas_ext.search.workers import ThisProcess

SPACE = ("--space", "nasbench201", "--channels", "2", "--cells", "1")
CELL = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
MODULES = {
    "raises": "1 / 0",
    "exits": "import sys; sys.exit(3)",
    "wrong": "def (",
    "imports": "import no_such_module_anywhere",
    "makes": """
import sys
def nothing(): return None
def exits(): sys.exit(3)
def raises(): raise LookupError("no such weights")
def needs(argument): return argument
class Space: pass
text = "a text"
""",
}
FILES = {
    "text.txt": b"no architecture at all\n",
    "empty": b"",
    "latin.txt": b"caf\xe9\n",
    "zeros": bytes(1000),
    "random": random.Random(0).randbytes(5000),
    "damaged.npz": b"PK\3\4junk",
    "damaged.npy": b"\x93NUMPY\1\0v\0{",
    "picture.png": b"\x89PNG\r\n\x1a\njunk",
    "deep.json": b"[" * 100_000,
    "other.json": b'{"a": 1}',
    "run.db": b"SQLite format 3\0" + bytes(84),
    "table.csv": b"x;y\n1;2\n",
    "quotes.csv": b'arch,acc\n"x,1\n',
}
BAD_TEXTS = ("", "nonsense", "-1", "0", "nan", "1e999", "=1+1", "9" * 50, "ä" * 300, "a:b", ":")
COMMANDS = {
    "score": ["--arch", CELL, *SPACE],
    "search": [*SPACE, "--candidates", "2", "--workers", "1"],
    "calibrate": [*SPACE, "--architectures", "2", "--workers", "1"],
    "correlate": [*SPACE, "--table", "table.csv"],
    "show": ["run.db"],
    "analyze": ["run.db"],
    "compare": ["run.db", "other.json"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    for name, text in MODULES.items():
        (tmp_path / f"bad_{name}.py").write_text(text)
    (tmp_path / "folder").mkdir()
    for module in (search_run, listing):  # what is good of a command need not take processes
        monkeypatch.setattr(module, "hire", lambda evaluator, _: [ThisProcess(evaluator)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def run(arguments: list[str]) -> Result:
    return CliRunner().invoke(main, arguments)


def told_in_a_sentence(result: Result) -> str | None:
    """What is wrong with how a command ended; None where nothing is."""
    if result.exit_code != 2:
        return f"exit code {result.exit_code}, {result.exception!r}"
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    if len(lines) != 1 or "Traceback" in result.output:
        return f"no sentence: {result.output!r}"
    return None


def command_lines() -> Iterator[list[str]]:
    """Each option of each command with values that are none, and each command with things missing."""
    files = [*FILES, "folder", "missing", "missing/file", "/dev/null"]
    modules = [f"bad_{name}:{what}" for name in MODULES for what in ("Space", "nothing")]
    modules += [f"bad_makes:{what}" for what in ("exits", "raises", "needs", "text", "none")]
    for name, good in COMMANDS.items():
        command = main.commands[name]
        yield [name]
        yield [name, "--no-such-option"]
        yield [name, "one", "two", "three"]
        for option in command.params:
            if not isinstance(option, click.Option):
                continue
            flag = option.opts[0]
            if flag == "--ray":  # starts it
                continue
            yield [name, *good, flag]
            if option.is_flag:
                continue
            values = [*BAD_TEXTS]
            if flag in ("--arch-file", "--images", "--table", "--resume"):
                values += files
            if flag in ("--output", "--html", "--run"):
                values = ["folder", "missing/file", "a" * 300]
            if flag in ("--space", "--model", "--strategy"):
                values += modules
            for value in values:
                yield [name, *good, flag, value]
    for file in files:
        yield ["show", file]
        yield ["analyze", file]
    yield ["no-such-command"]


@pytest.mark.slow
def test_bad_command_lines(folder: Path) -> None:
    lines = list(command_lines())
    assert len(lines) > 1200
    refused, faults = 0, []
    for line in random.Random(0).sample(lines, 340):
        result = run(line)
        if result.exit_code == 0:  # the good value of some option
            continue
        refused += 1
        fault = told_in_a_sentence(result)
        if fault is not None:
            faults.append(f"{line}: {fault}")
    assert not faults
    assert refused >= 300


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["--space", "bad_raises:Space"],
            r"bad_raises fails .* ZeroDivisionError: .*bad_raises\.py, line 1",
        ),
        (
            ["--space", "bad_exits:Space"],
            r"bad_exits fails where it is imported, with SystemExit: 3",
        ),
        (["--space", "bad_wrong:Space"], "bad_wrong fails where it is imported, with SyntaxError"),
        (["--space", "bad_imports:Space"], "No module named 'no_such_module_anywhere'"),
        (
            ["--space", "bad_makes:Space"],
            "bad_makes:Space is no search space: there are no choices",
        ),
        (["--model", "bad_raises:make"], "bad_raises fails where it is imported"),
        (["--model", "bad_makes:exits"], "bad_makes:exits: SystemExit: 3"),
        (["--model", "bad_makes:raises"], "bad_makes:raises: LookupError: no such weights"),
        (
            ["--model", "bad_makes:nothing"],
            "bad_makes:nothing: TypeError: expected a torch module, got NoneType",
        ),
        (["--model", "bad_makes:text"], "bad_makes has no function or class 'text'"),
    ],
)
def test_code_of_users(folder: Path, arguments: list[str], problem: str) -> None:
    more = ["--arch", "x"] if arguments[0] == "--space" else []
    result = run(["score", *arguments, *more])
    assert told_in_a_sentence(result) is None
    assert re.search(problem, result.stderr)


@pytest.mark.parametrize("command", ["score", "search", "calibrate", "correlate"])
def test_no_command_takes_another_device(folder: Path, command: str) -> None:
    (folder / "table.csv").write_text(f"arch,acc\n{CELL},1\n{CELL.replace('skip', 'none')},2\n")
    result = run([command, *COMMANDS[command], "--device", "cuda:77"])
    assert told_in_a_sentence(result) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_files_of_architectures(folder: Path, encoding: str) -> None:
    (folder / "cells.txt").write_bytes(f"# cells\r\n{CELL}\r\n\r\n".encode(encoding))
    result = run(["score", *SPACE, "--arch-file", "cells.txt", "--format", "csv"])
    assert result.exit_code == 0, result.output
    assert CELL in result.stdout
    for name, problem in (
        ("latin.txt", "--arch-file latin.txt is not text in UTF-8"),
        ("zeros", "--arch-file zeros is not text: it has zero bytes"),
        ("text.txt", "found 'n', at character 0"),
    ):
        result = run(["score", *SPACE, "--arch-file", name])
        assert told_in_a_sentence(result) is None
        assert problem in result.stderr
