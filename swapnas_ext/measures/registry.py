"""Measures by name: those of this package, of other packages, and of your own.

Packages offer theirs in the entry-point group ``swapnas_ext.measures``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

from swapnas_ext._util import Registry
from swapnas_ext.measures.measure import FunctionMeasure, Measure
from swapnas_ext.measures.panel import Panel
from swapnas_ext.measures.prepared_network import PreparedNetwork

DEFAULT = "patterns"
"""Whose module is imported first, and which lists of names begin with."""

recommended = "capacity"
"""The name of the measure to rank networks of any kind by: docs/capacity.md tells how well it does."""

SIZES = ("params", "flops")
"""The names of the measures that are sizes."""

_ALSO = {"swap": "patterns"}
"""Other names of measures."""

MeasureFactory: TypeAlias = type[Measure[Any]] | Callable[[PreparedNetwork], float]
AnyMeasure: TypeAlias = str | Measure[Any] | MeasureFactory
"""A registered name, several with commas between them, ``MODULE:NAME``, an object, a class, or a function from a
prepared network to a logarithm."""

Registered = TypeVar("Registered", bound=MeasureFactory)
_registry: Registry[Any] = Registry("measure", "swapnas_ext.measures")


def register(measure: Registered) -> Registered:
    """Makes a measure known by its name; a decorator of a class or a function.

    Raises:
        ValueError: another measure has that name.
    """
    name = _made(measure).name
    if name in _ALSO:
        raise ValueError(f"the measure {_ALSO[name]!r} has the name {name!r} too")
    _registry.register(name)(measure)
    return measure


def names() -> tuple[str, ...]:
    """The names that `get` knows, the default first."""
    return tuple(_registry.names())


def get(measure: AnyMeasure) -> Measure[Any]:
    """Returns the measure that a name, an object, a class or a function stands for.

    Raises:
        ValueError: an unknown name.
        TypeError: neither a name nor a measure.
        ImportError: the module of ``MODULE:NAME``, or of another package's measure, can't be imported.
    """
    if isinstance(measure, str) and "," in measure:
        return Panel([get(name.strip()) for name in measure.split(",")])
    if isinstance(measure, str):
        return _made(_registry.get(_ALSO.get(measure, measure)))
    return _made(measure)


def title_of(name: str) -> str:
    """What tables call the values of a measure: its title, or its name if the registry does not know it."""
    try:
        return get(name).title
    except (ValueError, TypeError, ImportError):
        return name


def titles_of(names: Iterable[str]) -> dict[str, str]:
    """The titles of several measures by name; the name itself where several have one title."""
    titles = {name: title_of(name) for name in names}
    counts = Counter(titles.values())
    return {name: title if counts[title] == 1 else name for name, title in titles.items()}


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
