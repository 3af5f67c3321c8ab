"""The options that a space was made with, read from its attributes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swapnas_ext.spaces.base import SearchSpace

_SIDES = ("image_size", "resolution")
"""Options for the sides of the images, which spaces keep as their ``input_size``."""


def options_of(make: Callable[..., SearchSpace], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a space that this class or function makes, by the names of its parameters.

    Args:
        attributes: those of a space, or those that a run file records of one. An option is the attribute of its name,
            also with an underscore before it; ``_NAME_given`` comes first, for options whose default depends on others.
            Parameters without such an attribute are left out.
    """
    options = {}
    for parameter in inspect.signature(make).parameters:
        names = (f"_{parameter}_given", f"_{parameter}", parameter)
        found = next((name for name in names if name in attributes), None)
        if found is not None:
            options[parameter] = attributes[found]
        elif parameter in _SIDES and "input_size" in attributes:
            options[parameter] = attributes["input_size"][1]
    return options
