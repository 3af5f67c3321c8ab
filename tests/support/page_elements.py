"""What an HTML page has: its title, headings, charts, text, and where it would take things from."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

Attributes = list[tuple[str, "str | None"]]


class PageElements(HTMLParser):
    """Reads a whole page.

    Attributes:
        title: in the browser's tab.
        headings: of sections, and of columns and rows of tables.
        charts: their names, in order.
        specs: their specifications, by name.
        text: what a reader sees without opening a chart.
        tags, classes: of all elements.
        sources: addresses in attributes.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.title = ""
        self.headings: list[str] = []
        self.charts: list[str] = []
        self.specs: dict[str, dict[str, Any]] = {}
        self.text = ""
        self.tags: list[str] = []
        self.classes: list[str] = []
        self.sources: list[str] = []
        self._styles = self._policy = ""
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        known = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self._open.append(tag)
        self.classes += known.get("class", "").split()
        self.sources += [
            value
            for name, value in known.items()
            if name in ("src", "href", "xlink:href", "srcset", "action", "data")
        ]
        self._styles += known.get("style", "")
        if known.get("http-equiv") == "Content-Security-Policy":
            self._policy = known["content"]
        if "chart" in known.get("class", "").split():
            self.charts.append(known["id"].removeprefix("chart-"))
        if tag in ("h1", "h2", "h3", "th"):
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside == "title" and "svg" not in self._open:
            self.title += data
        if inside == "script":
            if self.charts and self.charts[-1] not in self.specs and data.startswith("{"):
                self.specs[self.charts[-1]] = json.loads(data)
            return
        if inside == "style":
            self._styles += data
            return
        if {"h1", "h2", "h3", "th"} & set(self._open):
            self.headings[-1] += data
        self.text += data

    def check_nothing_is_fetched(self) -> None:
        """Its addresses are places in itself, and its policy allows no other."""
        assert self._policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in self._policy and "http" not in self._policy
        assert not {"link", "iframe", "object", "embed", "img", "base"} & set(self.tags)
        assert all(source.startswith("#") for source in self.sources), self.sources
        assert "@import" not in self._styles and not re.search(r"url\((?!#)", self._styles)
