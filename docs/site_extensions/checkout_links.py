"""Links of pages to what is beside docs/ in the checkout, as they are right on GitHub, made right on the site.

A text that the site includes becomes a link to its page. Files become downloads, which MyST does by itself. A folder
has no page, so its link becomes its name.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

INCLUDED = {"csrc/README.md": "csrc.md", "CHANGELOG.md": "changelog.md"}
ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\[(?P<text>[^\]\n]+)\]\((?P<path>\.\./[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def _rewritten(link: re.Match[str]) -> str:
    path = link["path"].removeprefix("../")
    if path in INCLUDED:
        return f"[{link['text']}]({INCLUDED[path]}{link['anchor'] or ''})"
    if (ROOT / path).is_dir():
        return f"{link['text']} (`{path}`)"
    return link[0]


def rewrite(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = _LINK.sub(_rewritten, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
