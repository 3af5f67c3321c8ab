"""Reads text and JSON files as users have them: with byte order marks, in UTF-16, too deeply nested."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_DEEPEST = 100
"""Levels of objects and arrays in JSON: far more than any table has, far fewer than Python's stack holds."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is a prefix of this
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(content: bytes, name: object) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Raises:
        ValueError: the file is not such a text; the message begins with ``name``.
    """
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} is not text in {encoding.upper()} ({error.reason} at byte {error.start}): save it as UTF-8"
        ) from error
    if "\0" in text:
        raise ValueError(f"{name} is not text: it has zero bytes; save it as UTF-8")
    return text


def read_text(path: Path) -> str:
    """The text of a file, as `decoded` reads it.

    Raises:
        ValueError: a folder, or not a text.
        OSError: the file can't be read.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder: expected a file")
    return decoded(path.read_bytes(), path)


def parsed_json(text: str, name: object) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: not JSON, or nested too deeply; the message has ``name``.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(
            f"{name} is nested too deeply: more than {_DEEPEST} levels of JSON"
        ) from error
    except ValueError as error:
        raise ValueError(f"can't read {name} as JSON: {error}") from error
    if text.count("[") + text.count("{") <= _DEEPEST:
        return value
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(f"{name} is nested too deeply: more than {_DEEPEST} levels of JSON")
        level = [inner for outer in level for inner in _children(outer)]
    return value


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
