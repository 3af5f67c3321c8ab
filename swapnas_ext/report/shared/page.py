"""The frame of a self-contained HTML page, and its elements. A page fetches nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 1080px; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #e4e7eb; vertical-align: top }
th:last-child, td:last-child { text-align: left }
code, pre { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap }
figure { display: inline-block; margin: 0 1rem 1rem 0 } svg { max-width: 100%; height: auto }
details { margin: .6rem 0 } summary { cursor: pointer }
"""


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page of elements. Empty elements are left out."""
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def html_table(columns: Mapping[str, Sequence[str]]) -> str:
    """An HTML table of cells by heading. Both are HTML."""
    lines = ["".join(f"<th>{heading}</th>" for heading in columns)]
    lines += [
        "".join(f"<td>{cell}</td>" for cell in line) for line in zip(*columns.values(), strict=True)
    ]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def figure(drawn: Figure, caption: str = "") -> str:
    """A drawing with a caption of plain text."""
    from swapnas_ext.report.shared.drawing import to_svg  # brings matplotlib

    told = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{to_svg(drawn)}{told}</figure>"


def settings_details(about: Mapping[str, Any]) -> str:
    """The settings that something was made with, folded away."""
    text = json.dumps(about, indent=2)
    return f"<details><summary>settings</summary><pre>{escape(text)}</pre></details>"
