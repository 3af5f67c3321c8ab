"""The space that a run file records."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from swapnas_ext import spaces
from swapnas_ext.search.description import describe_space, space_name
from swapnas_ext.spaces import SearchSpace, maker, options_of

_SCRIPT = "__main__"


def recorded_space(
    settings: Mapping[str, Any],
    given: SearchSpace | str | None = None,
    *,
    source: object = "the run",
) -> SearchSpace | None:
    """The space of a run: the given one, or the recorded one where it is of this package; otherwise None.

    A run file is data, so no other module that it names is imported.

    Args:
        settings: those of the run file.
        given: the space, or its name for `spaces.get`. A name is made with the recorded options.
        source: what errors call the run.

    Raises:
        TypeError: ``given`` is neither a space nor a name.
        ValueError: the space is not the one that was searched, or can't be made with the recorded options.
        ImportError: ``given`` names a module that can't be imported.
    """
    recorded = json.loads(json.dumps(settings.get("space") or {}))
    name = recorded.get("name")
    if given is None:
        return _made(maker(name), name, recorded, source) if name in spaces.names() else None
    if isinstance(given, str):
        make = maker(given)
        if isinstance(make, type):
            _check_name(space_name(make), name, source)
        return _made(make, given, recorded, source)
    if not isinstance(given, SearchSpace):
        raise TypeError(
            "space must be a SearchSpace or a name, such as darts or my_module:MySpace, got "
            f"{type(given).__name__}"
        )
    _check_fits(given, recorded, source)
    return given


def asked_space_name(settings: Mapping[str, Any]) -> str | None:
    """The name by which the space of a run can be asked for: as its command did, or else that of its class or
    function; None if neither is recorded."""
    for made in (settings.get("command"), settings):
        space = made.get("space") if isinstance(made, Mapping) else None
        name = space.get("name") if isinstance(space, Mapping) else None
        if isinstance(name, str):
            return name
    return None


def _made(
    make: Callable[..., SearchSpace], name: str, recorded: Mapping[str, Any], source: object
) -> SearchSpace:
    try:
        space = make(**options_of(make, recorded))
    except (TypeError, ValueError, LookupError) as error:
        raise ValueError(
            f"{source} records options that the space {name} does not take: {error}; give the space "
            "itself, as space="
        ) from error
    _check_fits(space, recorded, source)
    return space


def is_same_space_name(name: str | None, other: str | None) -> bool:
    """Whether two recorded names may be of one space. A script that searched is imported by its own name later."""
    if name is None or other is None or name == other:
        return name == other
    module, _, qualname = name.partition(":")
    other_module, _, other_qualname = other.partition(":")
    return bool(qualname) and qualname == other_qualname and _SCRIPT in (module, other_module)


def _check_name(name: str, recorded: str | None, source: object) -> None:
    if recorded is not None and not is_same_space_name(name, recorded):
        raise ValueError(f"{source} is a run of the space {recorded}, not of {name}")


def _check_fits(space: SearchSpace, recorded: Mapping[str, Any], source: object) -> None:
    """Raises ValueError unless a space is as the run records it."""
    found = json.loads(json.dumps(describe_space(space)))
    _check_name(found["name"], recorded.get("name"), source)
    for option, value in recorded.items():
        if option != "name" and found.get(option) != value:
            raise ValueError(
                f"{source} was made with {option}={value} of the space {recorded.get('name')}, not "
                f"{found.get(option)}; give the space that was searched"
            )
