"""What people and programs read: text for a terminal, JSON, CSV, and self-contained HTML pages.

There is a folder for each thing that is reported, and ``shared`` for what they have in common. Pages are made of
``templates``, which Jinja fills; Vega draws charts in the page. Commands import pages only where they write one.
"""

from __future__ import annotations

__all__ = [
    "analysis",
    "comparison",
    "correlation",
    "live",
    "scores",
    "search",
    "shared",
    "validation",
]
