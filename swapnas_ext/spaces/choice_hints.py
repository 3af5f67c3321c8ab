"""Reads the choices of a function from its type hints."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

from swapnas_ext.spaces.choice_tree import Node

NO_HINT = object()


def hinted(build: Callable[..., Any]) -> dict[str, Any]:
    """The choices that hints of ``build`` give: of ``Literal``, ``bool``, enums, and ``Annotated`` with options.

    Raises:
        ValueError: a hint names something that does not exist.
    """
    annotated = build.__init__ if isinstance(build, type) else build  # type: ignore[misc]
    try:
        hints = typing.get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise ValueError(f"the type hints can't be read: {error}") from error
    except TypeError:  # a partial, or an object that is called
        hints = {
            name: parameter.annotation
            for name, parameter in inspect.signature(build).parameters.items()
        }
    choices = {name: _options(hint) for name, hint in hints.items() if name != "return"}
    return {name: options for name, options in choices.items() if options is not NO_HINT}


def _options(hint: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin is Literal:
        return typing.get_args(hint)
    if origin is Annotated:
        plain, *extras = typing.get_args(hint)
        for extra in extras:
            if isinstance(extra, Node | Mapping) or (
                isinstance(extra, Iterable) and not isinstance(extra, str | bytes)
            ):
                return extra
        return _options(plain)
    if origin in (typing.Union, types.UnionType):
        parts = [_options(part) for part in typing.get_args(hint)]
        if NO_HINT in parts or any(isinstance(part, Node | Mapping) for part in parts):
            return NO_HINT
        return [value for part in parts for value in part]
    if hint is type(None):
        return (None,)
    if hint is bool:
        return (False, True)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return tuple(hint)
    return NO_HINT
