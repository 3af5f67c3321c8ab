"""Search spaces, found by name: ``get("nasbench201", dataset="cifar100")``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from swapnas_ext._util import named
from swapnas_ext.spaces.base import ArchitectureError, Graph, SearchSpace
from swapnas_ext.spaces.choice_options import Options
from swapnas_ext.spaces.choice_tree import Choose, OneOf, Repeated
from swapnas_ext.spaces.choices import Choices
from swapnas_ext.spaces.decisions import DecisionSpace
from swapnas_ext.spaces.listing import listed_count
from swapnas_ext.spaces.options import options_of

_CLASSES = {
    "darts": ("darts", "DARTS"),
    "nasbench101": ("nasbench101", "NASBench101"),
    "nasbench201": ("nasbench201", "NASBench201"),
    "transnas-micro": ("transnas", "TransNASMicro"),
    "transnas-macro": ("transnas", "TransNASMacro"),
    "mobilenet": ("mobilenet", "MobileNet"),
    "flexibert": ("flexibert", "FlexiBERT"),
    "nasbench-macro": ("nasbench_macro", "NASBenchMacro"),
    "efficientnet": ("efficientnet", "EfficientNet"),
    "autoformer": ("autoformer", "AutoFormer"),
}


def names() -> list[str]:
    """The names that `get` knows."""
    return list(_CLASSES)


def space_class(name: str) -> type[SearchSpace]:
    """The class of that name, or of ``MODULE:CLASS``, a class of one's own. The module may be in the current
    folder.

    Raises:
        ValueError: an unknown name, or not a subclass of `SearchSpace`.
        ImportError: there is no such module.
    """
    if name in _CLASSES:
        module_name, class_name = _CLASSES[name]
        module = importlib.import_module(f"swapnas_ext.spaces.{module_name}")
        kind: type[SearchSpace] = getattr(module, class_name)
        return kind
    if ":" not in name:
        raise ValueError(
            f"unknown search space {name!r}; known: {', '.join(_CLASSES)}, or MODULE:NAME for one "
            "of your own"
        )
    found = named(name)
    if not isinstance(found, type) or not issubclass(found, SearchSpace):
        module_name, _, class_name = name.partition(":")
        what = f"no {class_name}" if found is None else f"{class_name}, which is {_kind(found)}"
        raise ValueError(
            f"{name}: {module_name} has {what}; expected a subclass of SearchSpace, a space such as "
            "Choices(build, width=(8, 16)), or a function with type hints that builds a network"
        )
    return found


def _kind(found: object) -> str:
    return "a class" if isinstance(found, type) else f"of type {type(found).__name__}"


def name_of(space: SearchSpace | type[SearchSpace]) -> str | None:
    """The name that `get` knows a space or its class by; None for a space of one's own."""
    kind = space if isinstance(space, type) else type(space)
    for name, (module_name, class_name) in _CLASSES.items():
        if (kind.__module__, kind.__name__) == (f"swapnas_ext.spaces.{module_name}", class_name):
            return name
    return None


def get(name: str, **options: Any) -> SearchSpace:
    """The search space of that name, made with ``options``.

    Args:
        name: one of `names`, or ``MODULE:NAME``: a subclass of `SearchSpace`, a space, or a function that builds a
            network and whose type hints give its choices (see `Choices`).

    Raises:
        ValueError: an unknown name, or options that the space refuses.
        TypeError: the space has no such option.
        ImportError: there is no such module.
    """
    return maker(name)(**options)


def maker(name: str) -> Callable[..., SearchSpace]:
    """What `get` calls with the options: its parameters are the options. Errors as for `get`."""
    found = named(name) if name not in _CLASSES and ":" in name else None
    if isinstance(found, SearchSpace):
        space = found
        return lambda: space
    if callable(found) and not (isinstance(found, type) and issubclass(found, SearchSpace)):
        build = found

        def from_hints(*, input_size: int = 32) -> SearchSpace:
            try:
                return Choices(build, input_size=input_size)
            except ValueError as error:
                module = name.partition(":")[0]
                raise ValueError(
                    f"{name} is no search space: {error}; or make the space in the module, space = Choices(...), and "
                    f"name that, {module}:space"
                ) from error

        return from_hints
    return space_class(name)


__all__ = [
    "ArchitectureError",
    "Choices",
    "Choose",
    "DecisionSpace",
    "Graph",
    "OneOf",
    "Options",
    "Repeated",
    "SearchSpace",
    "get",
    "listed_count",
    "maker",
    "name_of",
    "names",
    "options_of",
    "space_class",
]
