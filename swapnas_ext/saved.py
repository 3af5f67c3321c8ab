"""What modules hold beside their tensors, saved and put back: attributes, hooks, the contents of containers,
``__slots__``, states of generators, plain objects of the user's own classes."""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from functools import cache
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_IMMUTABLE = frozenset(
    {bool, int, float, complex, str, bytes, type(None), type, range, torch.dtype, torch.device}
    | {torch.Size, torch.memory_format, type(lambda: None), type(len)}
)
_MAPPINGS = frozenset({dict, OrderedDict})
_LARGE = 100_000  # entries of a container that is saved, but not looked into


class Saved:
    """What modules hold; finds the tensors among it.

    Args:
        packages: those whose plain objects are looked into, beside ``types.SimpleNamespace``.

    Attributes:
        tensors, scripts, tuples: (container, key, value) of each tensor and each module of TorchScript; and of
            each tuple that has some, as a list, in which they are found too.
    """

    def __init__(self, packages: frozenset[str]) -> None:
        self.tensors: list[tuple[Any, Any, Tensor]] = []
        self.scripts: list[tuple[Any, Any, nn.Module]] = []
        self.tuples: list[tuple[Any, Any, list[Any]]] = []
        self._packages = packages
        self._seen: dict[int, Any] = {}  # by identity, and kept so that it stays theirs
        self._attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._filled: list[tuple[Any, Any]] = []  # containers, with what was in them
        self._empty: list[Any] = []
        self._hooks: list[tuple[Any, ...]] = []  # containers of a module, all of them empty
        self._classes: list[tuple[Any, type]] = []
        self._slots: list[tuple[Any, str, Any]] = []
        self._states: list[Callable[[], object]] = []
        self._working: list[Any] = []

    # ---- saving ----------------------------------------------------------------------------------

    def save_module(self, module: nn.Module) -> None:
        attributes = module.__dict__
        saved = attributes.copy()
        self._attributes.append((attributes, saved))
        kind = type(module)
        plain = _FREQUENT.get(kind)
        if plain is None:
            self._save_items(attributes, saved.items())
            self._classes.append((module, kind))
            self._save_slots(module, kind)
            return
        # Of the frequent modules it is known what their attributes are, and this is several times as fast.
        hooks = _hooks_of(saved)
        if any(hooks):
            for hook in hooks:
                self._save_container(hook)
        else:
            self._hooks.append(hooks)
        for held in _held_by(saved):
            if held:
                self._save_container(held)
            else:
                self._empty.append(held)
        own = saved.keys() - plain
        if own:
            self._save_items(attributes, [(name, saved[name]) for name in own])

    def _save_items(self, container: Any, items: Iterable[tuple[Any, Any]]) -> None:
        for key, value in items:
            kind = type(value)
            if kind in _IMMUTABLE:
                continue
            if kind in _MAPPINGS:
                if value:
                    self._save_container(value)
                else:
                    self._empty.append(value)
            elif kind is tuple:
                for item in value:
                    if type(item) not in _IMMUTABLE:
                        self._save_tuple(container, key, value)
                        break
            elif isinstance(value, Tensor):
                self.tensors.append((container, key, value))
            elif isinstance(value, nn.Module):
                if isinstance(value, torch.jit.ScriptModule):
                    self.scripts.append((container, key, value))
            else:
                self._save_other(container, key, value, kind)

    def _save_other(self, container: Any, key: Any, value: Any, kind: type) -> None:
        if isinstance(value, dict | list | set | deque):
            self._save_container(value)
        elif id(value) in self._seen:
            return
        elif isinstance(value, torch.Generator):
            self._save_state(value, value.get_state, value.set_state)
        elif isinstance(value, random.Random):
            self._save_state(value, value.getstate, value.setstate)
        elif isinstance(value, np.random.RandomState):
            self._save_state(value, value.get_state, value.set_state)
        elif isinstance(value, np.random.Generator):
            bits = value.bit_generator
            self._save_state(value, lambda: bits.state, lambda state: setattr(bits, "state", state))
        elif isinstance(value, np.ndarray):
            if value.flags.writeable and not value.dtype.hasobject:
                self._save_state(value, value.copy, lambda saved: np.copyto(value, saved))
        elif isinstance(value, bytearray):
            self._save_state(value, value.copy, lambda saved: value.__setitem__(slice(None), saved))
        elif self._is_looked_into(kind):
            self._seen[id(value)] = value
            self._save_container(value.__dict__)
            self._save_slots(value, kind)

    def _save_container(self, container: Any) -> None:
        if not container:
            self._empty.append(container)
            return
        if id(container) in self._seen:
            return
        self._seen[id(container)] = container
        content = _content(container)
        self._filled.append((container, content))
        if len(content) > _LARGE:
            return
        if isinstance(container, dict):
            self._save_items(container, content.items())
        elif not isinstance(container, set):
            self._save_items(container, enumerate(content))

    def _save_tuple(self, container: Any, key: Any, value: tuple[Any, ...]) -> None:
        items = list(value)
        before = len(self.tensors), len(self.scripts), len(self.tuples)
        self._save_items(items, enumerate(value))
        if before != (len(self.tensors), len(self.scripts), len(self.tuples)):
            self.tuples.append((container, key, items))

    def _save_slots(self, owner: Any, kind: type) -> None:
        for name in _slot_names(kind):
            value = getattr(owner, name, _MISSING)
            self._slots.append((owner, name, value))
            if value is not _MISSING:
                self._save_items(_Slots(owner), ((name, value),))

    def _save_state(
        self, owner: Any, save: Callable[[], Any], put_back: Callable[[Any], object]
    ) -> None:
        self._seen[id(owner)] = owner
        state = save()
        self._states.append(lambda: put_back(state))

    def _is_looked_into(self, kind: type) -> bool:
        package = kind.__module__.partition(".")[0]
        return (package in self._packages and _has_attributes(kind)) or kind.__module__ == "types"

    # ---- putting back ----------------------------------------------------------------------------

    def note_working(self) -> None:
        """What there is now is what `restore_working` is to restore."""
        self._working = [
            [attributes.copy() for attributes, _ in self._attributes],
            [_content(container) for container, _ in self._filled],
            [(owner, name, getattr(owner, name, _MISSING)) for owner, name, _ in self._slots],
        ]

    def restore_working(self) -> None:
        attributes, contents, slots = self._working
        self._restore(attributes, contents, slots)

    def put_back(self) -> None:
        self._restore(
            [saved for _, saved in self._attributes],
            [content for _, content in self._filled],
            self._slots,
        )

    def _restore(
        self,
        saved_attributes: list[dict[str, Any]],
        contents: list[Any],
        slots: list[tuple[Any, str, Any]],
    ) -> None:
        for module, kind in self._classes:
            if type(module) is not kind:
                object.__setattr__(module, "__class__", kind)
        for (attributes, _), saved in zip(self._attributes, saved_attributes, strict=True):
            attributes.clear()
            attributes.update(saved)
        for (container, _), content in zip(self._filled, contents, strict=True):
            _refill(container, content)
        for container in self._empty:
            if container:
                container.clear()
        for hooks in self._hooks:
            if any(hooks):
                for container in hooks:
                    container.clear()
        for owner, name, value in slots:
            if value is not _MISSING:
                object.__setattr__(owner, name, value)
            elif hasattr(owner, name):
                object.__delattr__(owner, name)
        for put_back in self._states:
            put_back()


_MISSING = object()
_HELD = ("_parameters", "_buffers", "_modules")
_HOOKS = tuple(
    name
    for name, value in nn.Module().__dict__.items()
    if name not in _HELD and type(value) in _MAPPINGS
)
_hooks_of, _held_by = itemgetter(*_HOOKS), itemgetter(*_HELD)
# Names of the attributes that each module of a frequent class of torch's has; none of them is a tensor, or a
# container that a forward pass writes to.
_FREQUENT = {
    kind: frozenset(kind(*arguments).__dict__)
    for kind, arguments in (
        *((kind, ()) for kind in (nn.ReLU, nn.GELU, nn.SiLU, nn.Identity, nn.Flatten, nn.Dropout)),
        *((kind, ()) for kind in (nn.Sequential, nn.ModuleList, nn.ModuleDict)),
        *(
            (kind, (1,))
            for kind in (nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.LayerNorm)
        ),
        *((kind, (1,)) for kind in (nn.BatchNorm1d, nn.BatchNorm2d)),
        *((kind, (1, 1)) for kind in (nn.Linear, nn.Embedding)),
        *((kind, (1, 1, 1)) for kind in (nn.Conv1d, nn.Conv2d)),
    )
}


class _Slots:
    """``__slots__`` of an object, as a container."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    def __setitem__(self, name: str, value: Any) -> None:
        object.__setattr__(self._owner, name, value)


def _content(container: Any) -> Any:
    return dict(container) if isinstance(container, dict) else list(container)


def _refill(container: Any, content: Any) -> None:
    """By the methods of the built-in class: one of the user's own may do more."""
    if isinstance(container, dict):
        base = OrderedDict if isinstance(container, OrderedDict) else dict
        base.clear(container)
        base.update(container, content)
    elif isinstance(container, list):
        list.__setitem__(container, slice(None), content)
    elif isinstance(container, set):
        set.clear(container)
        set.update(container, content)
    else:
        deque.clear(container)
        deque.extend(container, content)


@cache
def _slot_names(kind: type) -> tuple[str, ...]:
    names: list[str] = []
    for ancestor in kind.__mro__:
        own = ancestor.__dict__.get("__slots__", ())
        for name in (own,) if isinstance(own, str) else tuple(own):
            if name in ("__dict__", "__weakref__"):
                continue
            is_private = name.startswith("__") and not name.endswith("__")
            names.append(f"_{ancestor.__name__.lstrip('_')}{name}" if is_private else name)
    return tuple(names)


@cache
def _has_attributes(kind: type) -> bool:
    return not issubclass(kind, type | BaseException) and kind.__dictoffset__ != 0
