"""Protects text in CSV files from spreadsheets, which run any cell that begins like a formula."""

from __future__ import annotations

from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def quoted(value: Any) -> Any:
    """The value; with an apostrophe in front where a spreadsheet could take it for a formula.

    Spreadsheets read a leading apostrophe as "this is text". Numbers stay as they are.
    """
    if not isinstance(value, str) or not value.lstrip("'").startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def unquoted(text: str) -> str:
    """The text that `quoted` was given."""
    return text[1:] if text.startswith("'") and quoted(text[1:]) == text else text
