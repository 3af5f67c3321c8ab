"""The README: short, with links that lead somewhere and commands that exist. tests/docs runs its code."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from swapnas_ext.cli import main

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted(
    [
        README,
        ROOT / "CONTRIBUTING.md",
        ROOT / "csrc" / "README.md",
        ROOT / "swapnas_ext" / "examples" / "README.md",
        *(ROOT / "docs").glob("*.md"),
    ]
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"""\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)\"""")


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of the code blocks of a page."""
    return _FENCE.findall(page.read_text())


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text())
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every ``swapnas`` command in shell blocks, and after a prompt in others."""
    for language, text in blocks(page):
        for line in text.replace("\\\n", " ").splitlines():
            if language in ("console", "text") and not line.startswith("$ "):
                continue
            if language not in ("sh", "console", "text"):
                continue
            words = shlex.split(line.removeprefix("$ "), comments=True)
            for part in _simple_commands(words):
                if part[:1] == ["swapnas"]:
                    yield part[1:]


def _simple_commands(words: list[str]) -> Iterator[list[str]]:
    """The commands of a line with pipes, without redirections."""
    part: list[str] = []
    for word in [*words, "|"]:
        if word in ("|", "&&", ">"):
            yield part
            part = [">"] if word == ">" else []
        else:
            part.append(word)


def test_it_is_short() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for found in _LINK.finditer(_FENCE.sub("", page.read_text())):
        link = found[1] or found[2]
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor and target.suffix == ".md":
            assert anchor in headings(target), f"{page.name} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_have_these_options(page: Path) -> None:
    for words in commands(page):
        with click.Context(main, info_name="swapnas") as group:
            _, rest, _ = main.make_parser(group).parse_args(list(words))
            if not rest:
                continue  # swapnas --version
            name, *arguments = rest
            command = main.get_command(group, name)
            assert command is not None, f"{page.name}: swapnas {name}"
            with click.Context(command, parent=group, info_name=name) as context:
                try:
                    _, left, _ = command.make_parser(context).parse_args(list(arguments))
                except click.UsageError as error:
                    pytest.fail(f"{page.name}: swapnas {shlex.join(words)}: {error.message}")
                assert not left, f"{page.name}: swapnas {shlex.join(words)}"


def test_the_readme_has_commands() -> None:
    assert {words[0] for words in commands(README)} >= {"score", "spaces", "correlate", "search"}


def test_the_winner_of_the_search_is_looked_up() -> None:
    """The line that the README's grep finds has the rank and the accuracy that it tells."""
    text = README.read_text()
    (command,) = re.findall(r"^grep -F '(.*)' (.*)$", text, re.MULTILINE)
    (found,) = (line for line in (ROOT / command[1]).read_text().splitlines() if command[0] in line)
    rank, _, architecture, _, accuracy, *_ = found.split(",")
    assert f"{float(accuracy):.2f} % test accuracy on CIFAR-10, rank {rank};" in text
    assert re.search(rf"^ +1 .*{re.escape(architecture)}$", text, re.MULTILINE)


def test_tables_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    doc_tables = importlib.import_module("doc_tables")
    for page, makers in doc_tables.PAGES.items():
        text = (ROOT / page).read_text()
        for make in makers:
            part = f"<!-- {make.__name__} -->\n{make().rstrip()}\n<!-- /{make.__name__} -->"
            assert part in text, f"{page}: run python benchmarks/doc_tables.py"
            assert "aim" not in part.partition("\n|")[2].partition("\n")[0]
