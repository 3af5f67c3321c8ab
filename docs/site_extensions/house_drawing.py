"""The drawing of the rooms in architecture.md, which GitHub draws from its Mermaid text, as a picture for the site.

Mermaid draws in the reader's browser with three megabytes of JavaScript. A graph of rooms in layers needs none: this
writes SVG, with each room above all those that it imports.
"""

from __future__ import annotations

import re
from html import escape

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

_ARROW = re.compile(r"^\s*(\w+) --> (\w+)\s*$", re.MULTILINE)
WIDTH, HEIGHT = 120, 30
ACROSS, DOWN = 150, 66


def layers(arrows: list[tuple[str, str]]) -> list[list[str]]:
    """The rooms from the top down: none imports one of its own layer, or of one above it."""
    rooms = list(dict.fromkeys(room for arrow in arrows for room in arrow))
    below = {room: [low for high, low in arrows if high == room] for room in rooms}

    def height(room: str) -> int:
        return max((height(low) + 1 for low in below[room]), default=0)

    heights = {room: height(room) for room in rooms}
    return [
        [room for room in rooms if heights[room] == level]
        for level in range(max(heights.values()), -1, -1)
    ]


def svg(arrows: list[tuple[str, str]]) -> str:
    rows = layers(arrows)
    widest = max(map(len, rows))
    places = {
        room: ((widest - len(row)) * ACROSS / 2 + ACROSS * number + ACROSS / 2, 30 + DOWN * level)
        for level, row in enumerate(rows)
        for number, room in enumerate(row)
    }
    # A line that passes a layer bends around the boxes there.
    parts = []
    for high, low in arrows:
        (x0, y0), (x1, y1) = places[high], places[low]
        y0, y1 = y0 + HEIGHT / 2, y1 - HEIGHT / 2 - 4
        middle = (y0 + y1) / 2
        parts.append(
            f'<path d="M{x0:g},{y0:g} C{x0:g},{middle:g} {x1:g},{middle:g} {x1:g},{y1:g}" '
            'fill="none" stroke="currentColor" stroke-opacity=".45" marker-end="url(#house-arrow)"/>'
        )
    for room, (x, y) in places.items():
        parts.append(
            f'<rect x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
            'class="room"/>'
            f'<text x="{x:g}" y="{y + 5:g}" text-anchor="middle" font-size="13" fill="currentColor">'
            f"{escape(room)}</text>"
        )
    told = "; ".join(f"{high} imports {low}" for high, low in arrows)
    return (
        f'<svg class="house" role="img" viewBox="0 0 {widest * ACROSS} {DOWN * (len(rows) - 1) + 60}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>Imports between rooms: {escape(told)}</title>'
        '<defs><marker id="house-arrow" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


class Mermaid(Directive):
    has_content = True

    def run(self) -> list[nodes.Node]:
        arrows = _ARROW.findall("\n".join(self.content))
        if not arrows:
            raise self.error("expected lines of the form: room --> room")
        return [nodes.raw("", svg(arrows), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("mermaid", Mermaid)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
