"""Text in CSV files that spreadsheets open: they would compute what begins as a formula does."""

from __future__ import annotations

from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def quoted(value: Any) -> Any:
    """A text that could be taken for a formula with an apostrophe before it, which spreadsheets take for
    "this is text"; all else as it is."""
    if not isinstance(value, str) or not value.lstrip("'").startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value  # a number


def unquoted(text: str) -> str:
    """What `quoted` was given."""
    return text[1:] if text.startswith("'") and quoted(text[1:]) == text else text
