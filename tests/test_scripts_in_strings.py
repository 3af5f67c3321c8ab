"""Scripts that tests and benchmarks pass to another Python, some only on a GPU: what they import exists."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "swapnas_ext"


def text_of(node: ast.AST) -> str | None:
    """The text of a string, with a number for each value of an f-string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "0" for part in node.values)
    return None


def scripts(source: str) -> Iterator[ast.Module]:
    """The strings of a source that are scripts which import the package."""
    for node in ast.walk(ast.parse(source)):
        text = text_of(node)
        if text is None or not any(f"{word} {PACKAGE}" in text for word in ("import", "from")):
            continue
        try:
            yield ast.parse(text)
        except SyntaxError:  # a template that is not Python yet, or prose
            continue


def is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def missing(script: ast.Module) -> list[str]:
    """The names of the package that a script imports, or takes from it, and that do not exist."""
    absent = []
    aliases: dict[str, str] = {}
    for node in ast.walk(script):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            module = importlib.import_module(node.module)
            absent += [
                f"{node.module}.{one.name}"
                for one in node.names
                if not hasattr(module, one.name) and not is_module(f"{node.module}.{one.name}")
            ]
        elif isinstance(node, ast.Import):
            for one in node.names:
                if one.name.split(".")[0] == PACKAGE:
                    absent += [] if is_module(one.name) else [one.name]
                    aliases[one.asname or PACKAGE] = one.name if one.asname else PACKAGE
    for node in ast.walk(script):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = aliases.get(node.value.id)
            if name is not None and not hasattr(importlib.import_module(name), node.attr):
                absent.append(f"{name}.{node.attr}")
    return absent


@pytest.mark.slow
def test_what_scripts_import_exists() -> None:
    sources = [path for room in ("tests", "benchmarks") for path in (ROOT / room).rglob("*.py")]
    absent = {
        f"{source.relative_to(ROOT)}: {name}"
        for source in sources
        for script in scripts(source.read_text())
        for name in missing(script)
    }
    assert not absent


def test_a_name_that_was_renamed_is_found() -> None:
    script = f"""
import torch
import {PACKAGE} as swap
from {PACKAGE} import reference
from {PACKAGE}.patterns import reference as kept
swap.PatternCounter(4), swap.renamed(4), torch.anything
"""
    (found,) = scripts(f"program = {script!r}")
    assert missing(found) == [f"{PACKAGE}.reference", f"{PACKAGE}.renamed"]


def test_scripts_are_found() -> None:
    assert len(list(scripts((ROOT / "tests/test_cuda.py").read_text()))) == 1
