"""The options of one choice, each with its text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swapnas_ext.spaces.choice_text import plain_value, value_text

_SHOWN = 12


class Options:
    """The values that one choice can take, in their order, and the texts of these.

    Args:
        name: what errors call the choice.
        values: numbers, strings, bools, None, enum members, tuples of these, classes or functions. One value is a
            fixed one.

    Raises:
        TypeError: ``values`` are not several values in an order.
        ValueError: there is none, or two are equal, have the same text, or have none.
    """

    def __init__(self, name: str, values: Iterable[Any]) -> None:
        if isinstance(values, str | bytes | set | frozenset) or not isinstance(values, Iterable):
            fixed = (
                ""
                if isinstance(values, set | frozenset)
                else f"; for a fixed value give ({values!r},)"
            )
            raise TypeError(
                f"{name} must be options in an order, such as (8, 16) or range(8, 65, 8), got {values!r}{fixed}"
            )
        self.values = tuple(map(plain_value, values))
        if not self.values:
            raise ValueError(f"{name} has no options; give at least one")
        try:
            self.texts = tuple(map(value_text, self.values))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        self._index: dict[str, int] = {}
        seen: dict[Any, Any] = {}
        for index, (value, text) in enumerate(zip(self.values, self.texts, strict=True)):
            if value in seen:
                raise ValueError(f"{name} has equal options: {seen[value]!r} and {value!r}")
            seen[value] = value
            if text in self._index:
                other = self.values[self._index[text]]
                raise ValueError(
                    f"{name} has two options that are both written {text}: {other!r} and {value!r}; give other values"
                )
            self._index[text] = index

    def __len__(self) -> int:
        return len(self.values)

    def find(self, text: str) -> int | None:
        """The index of the option with this text."""
        return self._index.get(text)

    def index_of(self, name: str, value: Any) -> int:
        """The index of a value. Raises ValueError, which calls the choice ``name``, if it is no option."""
        for index, option in enumerate(self.values):
            if option is value or _equal(option, value):
                return index
        raise ValueError(f"{name} must be {self}, got {value!r}")

    def __str__(self) -> str:
        """The texts, for errors: ``one of 3, 5, 7``."""
        if len(self) == 1:
            return self.texts[0]
        shown = (
            self.texts
            if len(self) <= _SHOWN
            else (*self.texts[: _SHOWN - 2], "...", self.texts[-1])
        )
        return f"one of {', '.join(shown)}"


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # objects may compare as they like
        return False
