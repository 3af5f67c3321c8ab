"""Measures by name: those of this package, of other packages, and of one's own."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, TypeAlias, TypeVar

from swapnas_ext._util import named
from swapnas_ext.measures.measure import FunctionMeasure, Measure
from swapnas_ext.measures.prepared_network import PreparedNetwork

DEFAULT = "patterns"
ENTRY_POINTS = "swapnas_ext.measures"
"""The group of entry points by which packages offer measures."""

AnyMeasure: TypeAlias = str | Measure[Any] | type[Measure[Any]] | Callable[[PreparedNetwork], float]
"""A registered name, ``MODULE:NAME``, an object, a class, or a function from a prepared network to a logarithm."""

Registered = TypeVar("Registered", bound=type[Measure[Any]] | Callable[[PreparedNetwork], float])
_registered: dict[str, Measure[Any]] = {}


def register(measure: Registered) -> Registered:
    """Makes a measure known by its name; for use as a decorator of a class or a function.

    Raises:
        ValueError: another measure has that name.
    """
    made = _made(measure)
    known = _registered.get(made.name)
    if known is not None and _origin(known) != _origin(made):
        raise ValueError(
            f"there is a measure {made.name!r} already: {known!r}; choose another name"
        )
    _registered[made.name] = made
    return measure


def names() -> tuple[str, ...]:
    """The names that `get` knows, the default first."""
    return tuple(sorted({*_registered, *_offered()}, key=lambda name: (name != DEFAULT, name)))


def get(measure: AnyMeasure) -> Measure[Any]:
    """The measure that is meant.

    Raises:
        ValueError: an unknown name.
        TypeError: neither a name nor a measure.
        ImportError: the module of ``MODULE:NAME``, or of another package's measure, can't be imported.
    """
    if not isinstance(measure, str):
        return _made(measure)
    if measure in _registered:
        return _registered[measure]
    offered = _offered().get(measure)
    if offered is not None:
        return _made(offered.load())
    if ":" in measure:
        found = named(measure)
        if found is not None:
            return _made(found)
    raise ValueError(
        f"measure must be one of {', '.join(names())}, or MODULE:NAME of your own, got {measure!r}"
    )


def title_of(name: str) -> str:
    """What tables call the values of a measure; its name, where the registry does not know it."""
    try:
        return get(name).title
    except (ValueError, TypeError, ImportError):
        return name


def _offered() -> dict[str, Any]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _made(measure: Any) -> Measure[Any]:
    if isinstance(measure, type) and issubclass(measure, Measure):
        return measure()
    if isinstance(measure, Measure):
        return measure
    if callable(measure) and not isinstance(measure, type):
        return FunctionMeasure(measure)
    raise TypeError(
        f"measure must be a name, a Measure, or a function of a prepared network, got {measure!r}"
    )


def _origin(measure: Measure[Any]) -> tuple[str, str]:
    """Where it is defined, which stays the same where a module is imported again."""
    of: Any = measure.function if isinstance(measure, FunctionMeasure) else type(measure)
    return of.__module__, of.__qualname__
