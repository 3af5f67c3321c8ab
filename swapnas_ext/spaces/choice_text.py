"""The texts of values in architecture strings, such as ``3``, ``relu``, ``"two words"`` and ``(1,2)``."""

from __future__ import annotations

import enum
import json
import numbers
import re
from typing import Any

import numpy as np

_BARE = re.compile(r"[A-Za-z_][\w.+\-/:]*", re.ASCII)
_RESERVED = frozenset({"True", "False", "None", "nan", "inf"})
_DELIMITERS = ",()[]"


def plain_value(value: Any) -> Any:
    """A number or truth value of NumPy as one of Python; other values as they are."""
    if isinstance(value, tuple):
        return tuple(map(plain_value, value))
    if isinstance(value, bool | enum.Enum):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, float) else value


def value_text(value: Any) -> str:
    """The text of a value. Strings that look like something else are quoted, as in JSON.

    Raises:
        ValueError: the value has no text: it is no number, string, bool, None, enum member, tuple of these, and no
            class or function with a name.
    """
    if isinstance(value, enum.Enum) and value.name is not None:  # flags without a bit have none
        return value.name
    if value is None or isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, str):
        bare = _BARE.fullmatch(value) and value not in _RESERVED
        return value if bare else json.dumps(value)
    if isinstance(value, tuple):
        return f"({','.join(map(value_text, value))})"
    name = getattr(value, "__name__", None)
    if isinstance(name, str) and _BARE.fullmatch(name):
        return name
    raise ValueError(
        f"{value!r} has no name to write it by; give numbers, strings, classes or functions that have names (or "
        "names, which your function translates)"
    )


class Scanner:
    """Reads an architecture string from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    @property
    def at_end(self) -> bool:
        return self.position == len(self.text)

    def take(self, part: str) -> bool:
        """Moves past ``part`` if it comes next, and returns whether it did."""
        if not self.text.startswith(part, self.position):
            return False
        self.position += len(part)
        return True

    def take_one_of(self, texts: tuple[str, ...]) -> int | None:
        """Moves past the one of ``texts`` that comes next as a whole value, and returns its index."""
        for index, text in enumerate(texts):
            end = self.position + len(text)
            if self.text.startswith(text, self.position) and (
                end == len(self.text) or self.text[end] in _DELIMITERS
            ):
                self.position = end
                return index
        return None

    @property
    def next_part(self) -> str:
        """What comes next, for errors."""
        found = re.compile(r'"(?:[^"\\]|\\.)*"|[^,()\[\]]+|.', re.DOTALL).match(
            self.text, self.position
        )
        return repr(found[0]) if found else "the end"
