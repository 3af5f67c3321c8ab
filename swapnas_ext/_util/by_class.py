"""Keeps results by class for as long as the class lives.

Users make classes by the thousand, and torch makes one for each module that it parametrizes. Weak references
let them be freed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import update_wrapper
from typing import Any, Generic, TypeVar
from weakref import ref

T = TypeVar("T")


class ByClass(dict["ref[type[Any]]", T], Generic[T]):
    """A decorator that keeps the results of a function of a class.

    Loops over modules call ``f[ref(kind)]``, which takes half as long as ``f(kind)``.
    """

    def __init__(self, function: Callable[[type[Any]], T]) -> None:
        super().__init__()
        self._function = function
        update_wrapper(self, function)

    def __call__(self, kind: type[Any]) -> T:
        return self[ref(kind)]

    def __missing__(self, key: ref[type[Any]]) -> T:
        kind = key()
        assert kind is not None
        value = self[ref(kind, self._forget)] = self._function(kind)
        return value

    def _forget(self, key: ref[type[Any]]) -> None:
        self.pop(key, None)


class ByClasses(Generic[T]):
    """Keeps what ``make`` returns for each combination of a model's class and the classes of its modules."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._known: dict[tuple[ref[type[Any]], frozenset[ref[type[Any]]]], T] = {}

    def of(self, kind: type[Any], parts: Iterable[type[Any]]) -> T:
        distinct = frozenset(parts)
        known = self._known.get((ref(kind), frozenset(map(ref, distinct))))
        if known is not None:
            return known

        def forget(_: object) -> None:
            self._known.pop(key, None)

        key = ref(kind, forget), frozenset(ref(part, forget) for part in distinct)
        return self._known.setdefault(key, self._make())
