"""Registries of things by name, to which packages and users add their own: measures, strategies, workers."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from swapnas_ext._util.import_by_name import named

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Thing = TypeVar("Thing")

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class Registry(Generic[Thing]):
    """Things of one kind by name.

    Args:
        kind: what errors call one, such as ``"strategy"``.
        group: the entry-point group in which packages offer theirs. It is only read for names that are not
            registered.
    """

    def __init__(self, kind: str, group: str) -> None:
        self._kind = kind
        self._group = group
        self._registered: dict[str, Thing] = {}

    def register(self, name: str) -> Callable[[Thing], Thing]:
        """A decorator that registers a class or a function.

        Raises:
            ValueError: the name has a colon, or is taken by another.
        """
        if not name or ":" in name:
            raise ValueError(f"a {self._kind} can't be called {name!r}: give a name without colon")

        def add(thing: Thing) -> Thing:
            there = self._registered.get(name)
            # A cell of a notebook that runs again replaces what it made before.
            if there is not None and full_name(there) != full_name(thing):
                raise ValueError(f"there is a {self._kind} {name!r} already: {full_name(there)}")
            self._registered[name] = thing
            return thing

        return add

    def names(self) -> list[str]:
        """All names that `get` knows, including those of installed packages."""
        return list(dict.fromkeys([*self._registered, *(point.name for point in self._offered())]))

    def registered(self) -> tuple[str, ...]:
        """The names that were registered in this process."""
        return tuple(self._registered)

    def get(self, name: str) -> Thing:
        """What is registered under a name, what an installed package offers under it, or what
        ``MODULE:NAME`` names (found in the current folder too).

        Raises:
            ValueError: an unknown name, or the module has no such name.
            ImportError: there is no such module, or it can't be imported.
        """
        if name in self._registered:
            return self._registered[name]
        if ":" in name:
            try:
                found = named(name)
            except ImportError as error:
                raise ImportError(f"{self._kind} {name}: {error}") from error
            if found is None:
                module, _, inside = name.partition(":")
                raise ValueError(f"{self._kind} {name}: {module} has no {inside!r}")
            thing: Thing = found
            return thing
        for point in self._offered():
            if point.name == name:
                self._registered[name] = self._loaded(point)
                return self._registered[name]
        raise ValueError(
            f"{self._kind} must be one of {', '.join(self.names())}, or MODULE:NAME of your own, got {name!r}"
        )

    def name_of(self, thing: Thing) -> str:
        """The name that it is registered under, or else ``module:qualname``."""
        for name, other in self._registered.items():
            if other is thing:
                return name
        return full_name(thing)

    def _offered(self) -> Iterator[EntryPoint]:
        from importlib.metadata import entry_points  # takes 20 ms to import

        yield from entry_points(group=self._group)

    def _loaded(self, point: EntryPoint) -> Thing:
        try:
            thing: Thing = point.load()
        except Exception as error:  # the package's code may raise anything
            raise ImportError(
                f"the {self._kind} {point.name!r} of an installed package ({point.value}) can't be imported: "
                f"{type(error).__name__}: {error}"
            ) from error
        return thing


def full_name(thing: Any) -> str:
    """``module:qualname`` of a class, a function, or an object's class; with the arguments of a partial."""
    if isinstance(thing, functools.partial):
        arguments = [*map(repr, thing.args), *(f"{k}={v!r}" for k, v in thing.keywords.items())]
        lasting = _ADDRESS.sub("", ", ".join(arguments))  # the same in another process
        return f"{full_name(thing.func)}({lasting})"
    if not hasattr(thing, "__qualname__"):
        thing = type(thing)
    return f"{thing.__module__}:{thing.__qualname__}"
