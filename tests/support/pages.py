"""The code blocks of README.md and docs/, and how they are run. CONTRIBUTING.md tells what a writer of pages can say.

Sybil finds the blocks and runs Python. This adds what it lacks: bash with the `swapnas` of this checkout, outputs that
may vary, files, and reasons for what is not run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
from sybil import Document, Example, Lexeme, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OUTPUTS = ("text",)
SHELL = ("sh", "console")
NO_CODE = ("toml", "json", "bibtex", "mermaid", "yaml", "csv")
CHECKOUTS = ("ZERO_COST_NAS", "NASLIB", "AZ_NAS", "DEEPLITE")  # as for tests/peers
LIMIT = 300  # seconds for one command

_lexer = FencedCodeBlockLexer(r"[\w-]+")
_COMMENT = re.compile(
    r"<!--\s*(?P<name>not run|run with|numbers vary|needs|setup)(?::\s*(?P<value>.*?))?\s*-->",
    re.DOTALL,
)
_COMMENTS_BEFORE = re.compile(r"(?:<!--(?:(?!-->).)*-->\s*)+\Z", re.DOTALL)
_FILE = re.compile(r"# (\w+\.py)\n")
_NUMBER = re.compile(r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")
# Comes every ten seconds.
_PROGRESS = re.compile(r"^[a-z ]+: [\d,]+ of [\d,]+(, .*)?\n", re.MULTILINE)
_python = PythonEvaluator()


@dataclass
class Block:
    """A code block, and what the comments right before it say."""

    language: str
    source: str
    comments: dict[str, str]

    @property
    def made_small(self) -> str:
        """The source with the replacements of ``<!-- run with: one text -> another; ... -->``."""
        source = self.source
        for replacement in filter(None, self.comments.get("run with", "").split(";")):
            large, _, small = (part.strip() for part in replacement.partition("->"))
            if large not in source:
                raise ValueError(f"run with: {large!r} is not in the block")
            source = source.replace(large, small)
        return source


@dataclass
class Page:
    """What the blocks of a page share.

    Attributes:
        printed: what the last block printed; None before the first, and after one that was not run.
        not_run: lines of blocks that were not run, with the reasons.
    """

    folder: Path
    printed: str | None = None
    not_run: dict[int, str] = field(default_factory=dict)


def blocks(document: Document) -> Iterator[tuple[Region, Block]]:
    """The code blocks of a page with their places."""
    for region in _lexer(document):
        before = _COMMENTS_BEFORE.search(document.text, 0, region.start)
        found = list(_COMMENT.finditer(before[0])) if before else []
        comments = {one["name"]: one["value"] or "" for one in found}
        yield region, Block(region.lexemes["language"], str(region.lexemes["source"]), comments)


def parse(path: Path, page: Page) -> Document:
    """The page as a document of Sybil, whose examples run in the folder of `page`."""

    def regions(document: Document) -> Iterable[Region]:
        for region, block in blocks(document):
            region.parsed = block
            region.evaluator = lambda example: run(example, page)
            yield region

    document = Sybil(parsers=[regions]).parse(path)
    document.namespace["__name__"] = "__main__"
    return document


def run(example: Example, page: Page) -> str | None:
    """Runs a block, or compares an output with what was printed. Returns what is wrong."""
    block: Block = example.parsed
    reason = block.comments.get("not run") or _missing(block.comments.get("needs", ""))
    if reason:
        page.not_run[example.line] = reason
        page.printed = None if block.language not in OUTPUTS else page.printed
        return check_commands(block.source) if block.language in SHELL else None
    if "setup" in block.comments:
        bash(block.comments["setup"], page.folder)
    if block.language == "python":
        page.printed = run_python(example, block, page)
    elif block.language == "console":
        return run_console(block, page)
    elif block.language == "sh":
        page.printed = bash(block.made_small, page.folder)
    elif block.language in OUTPUTS:
        if page.printed is None:
            return "an output without a block that printed it; say <!-- not run: reason -->"
        if not is_output(block.source, page.printed, "numbers vary" in block.comments):
            return f"expected\n{block.source}\nprinted\n{page.printed}"
    elif block.language not in NO_CODE:
        return f"unknown language {block.language!r}"
    return None


def _missing(packages: str) -> str:
    absent = [one for one in packages.split() if importlib.util.find_spec(one) is None]
    return f"{', '.join(absent)} can't be imported" if absent else ""


def run_python(example: Example, block: Block, page: Page) -> str:
    """Runs a block in the namespace of its page; one that begins with ``# name.py``, as a program of that name."""
    named = _FILE.match(block.source)
    if named:
        (page.folder / named[1]).write_text(block.made_small)
        return bash(f"python -W ignore {named[1]}", page.folder)
    out = io.StringIO()
    source = Lexeme(block.made_small, offset=0, line_offset=0)
    region = Region(example.region.start, example.region.end, parsed=source, evaluator=_python)
    with contextlib.redirect_stdout(out):
        _python(Example(example.document, example.line, example.column, region, example.namespace))
    return out.getvalue()


def run_console(block: Block, page: Page) -> str | None:
    """Runs the commands after ``$``, and compares the lines that follow each."""
    parts = re.split(r"^\$ ", block.made_small, flags=re.MULTILINE)
    if parts[0].strip():
        return "a console block begins with a line of $ and a command"
    for part in parts[1:]:
        command, _, expected = part.partition("\n")
        while command.endswith("\\"):
            more, _, expected = expected.partition("\n")
            command = f"{command}\n{more.removeprefix('> ')}"
        page.printed = printed = bash(command, page.folder)
        if expected.strip() and not is_output(expected, printed, "numbers vary" in block.comments):
            return f"$ {command}\nexpected\n{expected}\nprinted\n{printed}"
    return None


def is_output(expected: str, printed: str, numbers_vary: bool) -> bool:
    """Whether it is the output that the page shows. ``...`` stands for anything, as in doctest; spaces count as one."""

    def simple(text: str) -> str:
        text = re.sub(r"\[?[█░▁▂▃▄▅▆▇]+[█░▁▂▃▄▅▆▇ ]*", "█ ", text) if numbers_vary else text
        text = _NUMBER.sub("#", text) if numbers_vary else text
        lines = (re.sub(r"\s+", " ", line).strip() for line in text.splitlines())
        return "\n".join(line for line in lines if line)

    pattern = ".*?".join(map(re.escape, re.split(r"\.\.\.|…", simple(expected))))
    return re.fullmatch(pattern, simple(printed), re.DOTALL) is not None


def bash(source: str, folder: Path) -> str:
    """Runs commands; returns what they print, as in a terminal, but for lines of progress.

    Raises:
        RuntimeError: a command fails.
    """
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(
            map(str, [*import_paths(), *filter(None, [os.environ.get("PYTHONPATH")])])
        ),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONWARNINGS": "ignore",
        "HOME": str(folder),  # where other code bases keep results
        "SYNETUNE_FOLDER": str(folder),
        "COLUMNS": "200",
        "CHECKOUT": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", source],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode} of\n{source}\n{done.stdout[-4000:]}")
    return _PROGRESS.sub("", done.stdout)


def make_programs(folder: Path) -> Path:
    """A folder for the PATH with the `swapnas` of this checkout, and with the Python that runs this."""
    tools = folder / ".bin"
    tools.mkdir()
    _program(tools / "swapnas", f'exec {shlex.quote(sys.executable)} -m swapnas_ext.cli "$@"')
    _program(tools / "python", f'exec {shlex.quote(sys.executable)} "$@"')
    return tools


def _program(path: Path, command: str) -> None:
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)


def import_paths() -> list[str]:
    """This checkout, and those of other code bases that the environment names."""
    checkouts = (os.environ.get(f"SWAPNAS_{name}") for name in CHECKOUTS)
    return [str(ROOT), *filter(None, checkouts)]


def check_commands(source: str) -> str | None:
    """Parses the `swapnas` commands of a block that is not run; returns what is wrong with them."""
    lines = re.sub(r"\\\n(?:> )?", " ", source).splitlines()
    for line in lines:
        if line.removeprefix("$ ").startswith("swapnas "):
            words = shlex.split(line.removeprefix("$ "), comments=True)
            ends = [
                number for number, word in enumerate(words) if word in ("|", ">", "&&", "&", ";")
            ]
            wrong = _wrong(words[1 : min(ends, default=len(words))])
            if wrong:
                return f"{line}\n{wrong}"
    return None


def _wrong(words: list[str]) -> str | None:
    from swapnas_ext.cli import main

    context = click.Context(main, info_name="swapnas", resilient_parsing=True)
    try:
        if words and not words[0].startswith("-"):
            name, command, rest = main.resolve_command(context, words)
            assert command is not None
            # Not `make_context`: files and values are of another place, only the options are checked.
            command.make_parser(click.Context(command, info_name=name, parent=context)).parse_args(
                rest
            )
        else:
            main.make_parser(context).parse_args(list(words))
    except click.ClickException as error:
        return error.format_message()
    return None
