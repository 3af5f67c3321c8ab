"""The models of a ranking, with their names, and errors that say which model they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn


def listed(models: Any) -> Iterator[tuple[Any, str | None, str]]:
    """Each model, its name (None without one), and what errors call it.

    Raises:
        TypeError: a single model, or something else that is not several models; or some models have names and
            others do not.
        ValueError: two models have one name.
    """
    is_module = isinstance(models, nn.Module) and not isinstance(
        models, nn.ModuleList | nn.ModuleDict
    )
    if is_module or not isinstance(models, Iterable):
        name = models.__name__ if isinstance(models, type) else type(models).__name__
        raise TypeError(
            f"rank takes several models, such as a list of them or a dict by name, got {name}; for one model call the "
            "scorer itself"
        )
    return _each(models.items() if isinstance(models, Mapping | nn.ModuleDict) else models)


def _each(models: Iterable[Any]) -> Iterator[tuple[Any, str | None, str]]:
    names: set[str] = set()
    for place, given in enumerate(models):
        is_pair = isinstance(given, tuple) and len(given) == 2
        if place and is_pair != bool(names):
            raise TypeError(
                f"rank takes models, or (name, model) pairs, and not both: models[{place}] is "
                f"{'a pair' if is_pair else type(given).__name__}"
            )
        if not is_pair:
            yield given, None, f"models[{place}]"
            continue
        name, model = given
        if not isinstance(name, str):
            raise TypeError(f"the name of a model must be a str, got {type(name).__name__}")
        if name in names:
            raise ValueError(f"two models are called {name!r}: give each its own name")
        names.add(name)
        yield model, name, name


@contextmanager
def said_of(which: str) -> Iterator[None]:
    """Makes the text of an error begin with the model that it is about. Its class stays the same."""
    try:
        yield
    except Exception as error:
        first = error.args[0] if error.args else ""
        if isinstance(first, str):
            error.args = (f"{which}: {first}".rstrip(": "), *error.args[1:])
        raise
