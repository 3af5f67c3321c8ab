"""Writes generated parts of a Markdown file, between ``<!-- name -->`` and ``<!-- /name -->``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def rewrite(path: Path, parts: Mapping[str, str]) -> None:
    """Raises ValueError if the file lacks one of the parts."""
    text = path.read_text()
    for name, part in parts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not found or not ended:
            raise ValueError(f"{path} has no part {begin.strip()} ... {end}")
        text = f"{before}{begin}{part.rstrip()}\n{end}{after}"
    path.write_text(text)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
