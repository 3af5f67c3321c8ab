"""Saves what modules hold and puts it back: attributes, hooks, contents of containers, ``__slots__``, states of
random generators, and plain objects of the user's own classes."""

from __future__ import annotations

import random
import sys
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from operator import itemgetter
from types import MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import HELD_SLOTS
from swapnas_ext._util import ByClass, to_the_end
from swapnas_ext.models.containers import (
    BUILT_IN,
    CONTAINERS,
    MAPPINGS,
    Slots,
    clear,
    content_of,
    is_empty,
    refill,
    set_item,
    slot_names,
    tuple_like,
)
from swapnas_ext.models.frequent_modules import FREQUENT

IMMUTABLE = frozenset(
    {bool, int, float, complex, str, bytes, type(None), type, range, torch.dtype, torch.device}
    | {torch.Size, torch.memory_format, type(lambda: None), type(len)}
)
_MOST_SEARCHED = 300_000
"""Items of containers that are searched for tensors. Further containers are saved without a search."""


class SavedState:
    """Saves what modules hold, and finds the tensors in it.

    Attributes:
        tensors, scripts: (container, key, value) of each tensor and each module of TorchScript. For an item
            of a tuple the container is a list; `renew_tuples` makes a new tuple from it.
        modules: all other modules that were found.
        of_frequent: identities of the parameters and buffers of frequent modules.
    """

    def __init__(self) -> None:
        self.tensors: list[tuple[Any, Any, Tensor]] = []
        self.scripts: list[tuple[Any, Any, nn.Module]] = []
        self.modules: list[nn.Module] = []
        self.of_frequent: set[int] = set()
        self._tuples: list[tuple[Any, Any, tuple[Any, ...], list[Any]]] = []
        self._seen: dict[int, Any] = {}  # by identity; kept alive, so that no other object gets it
        self._attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._filled: list[tuple[Any, Any]] = []  # containers and their contents
        self._searched = 0
        self._empty: list[Any] = []
        self._hooks: list[tuple[Any, ...]] = []  # containers of a module, all of them empty
        self._classes: list[tuple[Any, type]] = []
        self._slots: list[tuple[Any, str, Any]] = []
        self._states: list[tuple[Callable[[], Any], Callable[[Any], object], Any]] = []
        self._working: Callable[[], None] = self.put_back

    # ---- saving ----------------------------------------------------------------------------------

    def save_module(self, module: nn.Module) -> None:
        """Saves the attributes, hooks and containers of a module, without those of its children."""
        attributes = module.__dict__
        saved = attributes.copy()
        self._attributes.append((attributes, saved))
        kind = type(module)
        plain = FREQUENT.get(kind)
        if plain is None:
            self._save_items(attributes, saved.items())
            self._classes.append((module, kind))
            self._save_slots(module, kind)
            return
        # The attributes of frequent modules are known, which makes this several times as fast.
        hooks = _hooks_of(saved)
        if any(hooks):
            for hook in hooks:
                self.save_container(hook)
        else:
            self._hooks.append(hooks)
        parameters, buffers, children = _held_by(saved)
        for held in (parameters, buffers):
            if not held:
                self._empty.append(held)
            elif type(held) is dict and _HELD.issuperset(map(type, held.values())):
                self._save_tensors(held)
            else:
                self.save_container(held, however_large=True)
        if children:
            self.save_container(children, however_large=True)
        else:
            self._empty.append(children)
        if not plain.issuperset(saved):
            own = saved.keys() - plain
            self._save_items(attributes, [(name, saved[name]) for name in own])

    def _save_tensors(self, held: dict[str, Tensor | None]) -> None:
        """Saves the parameters or the buffers of a frequent module."""
        if id(held) in self._seen:
            return
        self._seen[id(held)] = held
        self._filled.append((held, held.copy()))
        for name, tensor in held.items():
            if tensor is not None:
                self.tensors.append((held, name, tensor))
                self.of_frequent.add(id(tensor))

    def _save_items(self, container: Any, items: Iterable[tuple[Any, Any]]) -> None:
        for key, value in items:
            kind = type(value)
            if kind in IMMUTABLE:
                continue
            if kind in MAPPINGS:
                self.save_container(value) if value else self._empty.append(value)
            elif kind is tuple:
                for item in value:
                    if type(item) not in IMMUTABLE:
                        self._save_tuple(container, key, value)
                        break
            elif isinstance(value, Tensor):
                self.tensors.append((container, key, value))
            elif isinstance(value, nn.Module):
                if isinstance(value, torch.jit.ScriptModule):
                    self.scripts.append((container, key, value))
                else:
                    self.modules.append(value)
            elif isinstance(value, tuple):  # a named tuple
                self._save_tuple(container, key, value)
            else:
                self._save_other(value, kind)

    def _save_other(self, value: Any, kind: type) -> None:
        if isinstance(value, CONTAINERS):
            self.save_container(value)
            if kind not in BUILT_IN and kind.__dictoffset__:  # a user's class with attributes
                self.save_container(value.__dict__)
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
        elif isinstance(value, partial):
            self._save_items([*value.args], enumerate(value.args))
            self.save_container(value.keywords)
        elif isinstance(value, MethodType):
            self._save_items([None], [(0, value.__self__)])
        elif isinstance(value, weakref.ref):
            self._save_items([None], [(0, value())])
        elif isinstance(value, torch.optim.Optimizer):
            self._seen[id(value)] = value
            self.save_container(value.__dict__)
        elif isinstance(value, bytearray):
            self._save_state(value, value.copy, lambda saved: value.__setitem__(slice(None), saved))
        elif self._is_searched(kind):
            self._seen[id(value)] = value
            if kind.__dictoffset__:
                self.save_container(value.__dict__)
            self._save_slots(value, kind)

    def save_container(self, container: Any, *, however_large: bool = False) -> None:
        """Saves the content of a dictionary, list, set or deque, and of what is in it.

        Args:
            however_large: search it for tensors even beyond the limit on searched items.
        """
        if is_empty(container):
            self._empty.append(container)
            return
        if id(container) in self._seen:
            return
        self._seen[id(container)] = container
        content = content_of(container)
        self._filled.append((container, content))
        if not however_large:
            if self._searched + len(content) > _MOST_SEARCHED:
                return
            self._searched += len(content)
        if isinstance(container, dict):
            self._save_items(container, content.items())
        elif not isinstance(container, set):
            self._save_items(container, enumerate(content))
        else:  # items of a set can't be replaced
            for item in content:
                if not isinstance(item, Tensor | nn.Module | tuple):
                    self._save_other(item, type(item))

    def _save_tuple(self, container: Any, key: Any, value: tuple[Any, ...]) -> None:
        items = list(value)
        before = len(self.tensors), len(self.scripts), len(self._tuples)
        self._save_items(items, enumerate(value))
        if before != (len(self.tensors), len(self.scripts), len(self._tuples)):
            self._tuples.append((container, key, value, items))

    def renew_tuples(self) -> None:
        """Replaces each tuple by a new one that holds what its list holds now."""
        for container, key, value, items in self._tuples:
            set_item(container, key, tuple_like(value, items))

    def _save_slots(self, owner: Any, kind: type) -> None:
        for name in slot_names(kind):
            value = getattr(owner, name, _MISSING)
            self._slots.append((owner, name, value))
            if value is not _MISSING:
                self._save_items(Slots(owner), ((name, value),))

    def _save_state(
        self, owner: Any, save: Callable[[], Any], put_back: Callable[[Any], object]
    ) -> None:
        self._seen[id(owner)] = owner
        self._states.append((save, put_back, save()))

    def _is_searched(self, kind: type) -> bool:
        if kind.__module__ in ("types", "collections"):
            return kind.__dictoffset__ != 0
        package = kind.__module__.partition(".")[0]
        return package not in _NOT_SEARCHED and _has_attributes(kind)

    # ---- putting back ----------------------------------------------------------------------------

    def note_working(self) -> None:
        """Notes the present state, for `restore_working`."""
        classes = [(module, type(module)) for module, _ in self._classes]
        attributes = [attributes.copy() for attributes, _ in self._attributes]
        filled = [(container, content_of(container)) for container, _ in self._filled]
        filled += [
            (container, content_of(container))
            for container in self._empty
            if not is_empty(container)
        ]
        for hooks in self._hooks:
            if any(hooks):
                filled += [(container, content_of(container)) for container in hooks]
        slots = [(owner, name, getattr(owner, name, _MISSING)) for owner, name, _ in self._slots]
        states = [(save, put_back, save()) for save, put_back, _ in self._states]
        self._working = lambda: self._restore(classes, attributes, filled, slots, states)

    def restore_working(self) -> None:
        """Puts back the state that `note_working` noted."""
        self._working()

    def put_back(self) -> None:
        """Puts back the state that was saved."""
        attributes = [saved for _, saved in self._attributes]
        everything = self._classes, attributes, self._filled, self._slots, self._states
        to_the_end(lambda: self._restore(*everything))

    def _restore(
        self,
        classes: list[tuple[Any, type]],
        saved_attributes: list[dict[str, Any]],
        filled: list[tuple[Any, Any]],
        slots: list[tuple[Any, str, Any]],
        states: list[tuple[Callable[[], Any], Callable[[Any], object], Any]],
    ) -> None:
        for module, kind in classes:
            if type(module) is not kind:
                object.__setattr__(module, "__class__", kind)
        for (attributes, _), saved in zip(self._attributes, saved_attributes, strict=True):
            attributes.clear()
            attributes.update(saved)
        for container in self._empty:
            if container or type(container) not in BUILT_IN:
                clear(container)
        for hooks in self._hooks:
            if any(hooks):
                for container in hooks:
                    container.clear()
        for container, content in filled:
            refill(container, content)
        for owner, name, value in slots:
            if value is not _MISSING:
                object.__setattr__(owner, name, value)
            elif hasattr(owner, name):
                object.__delattr__(owner, name)
        for _, put_back, state in states:
            put_back(state)


_MISSING = object()
_HELD = frozenset({Tensor, nn.Parameter, type(None)})
_HOOKS = tuple(
    name
    for name, value in nn.Module().__dict__.items()
    if name not in HELD_SLOTS and type(value) in MAPPINGS
)
_hooks_of, _held_by = itemgetter(*_HOOKS), itemgetter(*HELD_SLOTS)

_NOT_SEARCHED = frozenset({*sys.stdlib_module_names, "numpy", "torch", "swapnas_ext"})


@ByClass
def _has_attributes(kind: type) -> bool:
    if issubclass(kind, type | BaseException):
        return False
    return kind.__dictoffset__ != 0 or bool(slot_names(kind))
