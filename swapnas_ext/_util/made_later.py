"""A sequence whose objects are made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, overload

from swapnas_ext._util.garbage import garbage_kept

Item = TypeVar("Item")


class MadeLater(Sequence[Item]):
    """As many objects as are known to be there, which ``make`` makes all at once when one is first asked for. Copies by
    pickle, and comparisons, are those of a list."""

    def __init__(self, count: int, make: Callable[[], list[Item]]) -> None:
        self._count = count
        self._make: Callable[[], list[Item]] | None = make
        self._items: list[Item] = []

    @property
    def _made(self) -> list[Item]:
        if self._make is not None:
            with garbage_kept():
                self._items = self._make()
            self._make = None  # and what it holds
        return self._items

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> list[Item]: ...
    def __getitem__(self, place: int | slice) -> Item | list[Item]:
        return self._made[place]

    def __iter__(self) -> Iterator[Item]:
        return iter(self._made)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MadeLater):
            return bool(self._made == other._made)
        return bool(self._made == other) if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of lists

    def __repr__(self) -> str:
        return repr(self._made)

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (self._made,)
