"""Reads and refills containers of any class, through the methods of the built-in classes.

The methods of a user's own container class may do more than these, or less.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from swapnas_ext._util import ByClass

MAPPINGS = frozenset({dict, OrderedDict})
CONTAINERS = (dict, list, set, deque)
BUILT_IN = frozenset({*MAPPINGS, list, set, deque})


class Slots:
    """The ``__slots__`` of an object, as a container whose items can be set."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    def __setitem__(self, name: str, value: Any) -> None:
        object.__setattr__(self._owner, name, value)


def base_of(container: Any) -> Any:
    """The built-in class that a container's class is, or is derived from."""
    kind = type(container)
    if kind in BUILT_IN:
        return kind
    return next(
        base for base in (OrderedDict, dict, list, set, deque) if isinstance(container, base)
    )


def is_empty(container: Any) -> bool:
    if type(container) in BUILT_IN:
        return not container
    size: int = base_of(container).__len__(container)
    return size == 0


def content_of(container: Any) -> Any:
    """A dictionary with the items of a mapping, or a list with those of another container."""
    if type(container) is dict:
        return container.copy()
    base = base_of(container)
    return dict(base.items(container)) if issubclass(base, dict) else [*base.__iter__(container)]


def clear(container: Any) -> None:
    if type(container) in BUILT_IN:
        container.clear()
    elif not is_empty(container):
        base_of(container).clear(container)


def set_item(container: Any, key: Any, value: Any) -> None:
    """Does ``container[key] = value`` for a mapping, a list or the slots of an object."""
    if isinstance(container, Slots):
        container[key] = value
    else:
        base_of(container).__setitem__(container, key, value)


def refill(container: Any, content: Any) -> None:
    """Makes a container hold the content that `content_of` returned, and nothing else."""
    if type(container) is dict:
        container.clear()
        container.update(content)
    elif isinstance(container, dict):
        base = base_of(container)
        base.clear(container)
        for key, value in content.items():
            base.__setitem__(container, key, value)
    elif isinstance(container, list):
        list.__setitem__(container, slice(None), content)
    elif isinstance(container, set):
        set.clear(container)
        set.update(container, content)
    else:
        deque.clear(container)
        deque.extend(container, content)


@ByClass
def slot_names(kind: type) -> tuple[str, ...]:
    """The names of all slots of a class and its bases, as attributes of an object."""
    names: list[str] = []
    for ancestor in kind.__mro__:
        own = ancestor.__dict__.get("__slots__", ())
        for name in (own,) if isinstance(own, str) else tuple(own):
            if name in ("__dict__", "__weakref__"):
                continue
            is_private = name.startswith("__") and not name.endswith("__")
            names.append(f"_{ancestor.__name__.lstrip('_')}{name}" if is_private else name)
    return tuple(names)


def tuple_like(value: tuple[Any, ...], items: list[Any]) -> tuple[Any, ...]:
    """A tuple with other items, of the same class, made without calling the constructor of the class."""
    kind: Any = type(value)
    return kind(items) if hasattr(kind, "n_sequence_fields") else tuple.__new__(kind, items)
