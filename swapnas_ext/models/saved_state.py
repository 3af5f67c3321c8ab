"""What modules hold beside their tensors, saved and put back: attributes, hooks, the contents of containers,
``__slots__``, states of generators, plain objects of the user's own classes."""

from __future__ import annotations

import random
import sys
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from functools import partial
from operator import itemgetter
from types import MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import HELD_SLOTS
from swapnas_ext._util import ByClass

IMMUTABLE = frozenset(
    {bool, int, float, complex, str, bytes, type(None), type, range, torch.dtype, torch.device}
    | {torch.Size, torch.memory_format, type(lambda: None), type(len)}
)
_MAPPINGS = frozenset({dict, OrderedDict})
_CONTAINERS = (dict, list, set, deque)
_BUILT_IN = frozenset({*_MAPPINGS, list, set, deque})
_MOST = 300_000  # entries of containers that are looked into; others are saved alone


class SavedState:
    """What modules hold; finds the tensors among it.

    Attributes:
        tensors, scripts: (container, key, value) of each tensor and each module of TorchScript. Those of
            tuples are found in lists, which `renew_tuples` makes tuples of.
        modules: all others that were met on the way.
    """

    def __init__(self) -> None:
        self.tensors: list[tuple[Any, Any, Tensor]] = []
        self.scripts: list[tuple[Any, Any, nn.Module]] = []
        self.modules: list[nn.Module] = []
        self._tuples: list[tuple[Any, Any, tuple[Any, ...], list[Any]]] = []
        self._seen: dict[int, Any] = {}  # by identity, and kept so that it stays theirs
        self._attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._filled: list[tuple[Any, Any]] = []  # containers, with what was in them
        self._looked_into = 0
        self._empty: list[Any] = []
        self._hooks: list[tuple[Any, ...]] = []  # containers of a module, all of them empty
        self._classes: list[tuple[Any, type]] = []
        self._slots: list[tuple[Any, str, Any]] = []
        self._states: list[tuple[Callable[[], Any], Callable[[Any], object], Any]] = []
        self._working: Callable[[], None] = self.put_back

    # ---- saving ----------------------------------------------------------------------------------

    def save_module(self, module: nn.Module) -> None:
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
        # Of the frequent modules it is known what their attributes are, and this is several times as fast.
        hooks = _hooks_of(saved)
        if any(hooks):
            for hook in hooks:
                self.save_container(hook)
        else:
            self._hooks.append(hooks)
        for held in _held_by(saved):
            if held:
                self.save_container(held, however_large=True)
            else:
                self._empty.append(held)
        own = saved.keys() - plain
        if own:
            self._save_items(attributes, [(name, saved[name]) for name in own])

    def _save_items(self, container: Any, items: Iterable[tuple[Any, Any]]) -> None:
        for key, value in items:
            kind = type(value)
            if kind in IMMUTABLE:
                continue
            if kind in _MAPPINGS:
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
            elif isinstance(value, tuple):  # with names
                self._save_tuple(container, key, value)
            else:
                self._save_other(value, kind)

    def _save_other(self, value: Any, kind: type) -> None:
        if isinstance(value, _CONTAINERS):
            self.save_container(value)
            if kind not in _BUILT_IN and kind.__dictoffset__:  # of the user's own
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
        elif self._is_looked_into(kind):
            self._seen[id(value)] = value
            if kind.__dictoffset__:
                self.save_container(value.__dict__)
            self._save_slots(value, kind)

    def save_container(self, container: Any, *, however_large: bool = False) -> None:
        if _is_empty(container):
            self._empty.append(container)
            return
        if id(container) in self._seen:
            return
        self._seen[id(container)] = container
        content = _content(container)
        self._filled.append((container, content))
        if not however_large:
            if self._looked_into + len(content) > _MOST:
                return
            self._looked_into += len(content)
        if isinstance(container, dict):
            self._save_items(container, content.items())
        elif not isinstance(container, set):
            self._save_items(container, enumerate(content))
        else:  # in which nothing can take the place of a tensor
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
        """Puts tuples of what their lists hold now in their places."""
        for container, key, value, items in self._tuples:
            set_item(container, key, _tuple_like(value, items))

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
        self._states.append((save, put_back, save()))

    def _is_looked_into(self, kind: type) -> bool:
        if kind.__module__ in ("types", "collections"):
            return kind.__dictoffset__ != 0
        package = kind.__module__.partition(".")[0]
        return package not in _NOT_LOOKED_INTO and _has_attributes(kind)

    # ---- putting back ----------------------------------------------------------------------------

    def note_working(self) -> None:
        """What there is now is what `restore_working` is to restore."""
        classes = [(module, type(module)) for module, _ in self._classes]
        attributes = [attributes.copy() for attributes, _ in self._attributes]
        filled = [(container, _content(container)) for container, _ in self._filled]
        filled += [
            (container, _content(container))
            for container in self._empty
            if not _is_empty(container)
        ]
        for hooks in self._hooks:
            if any(hooks):
                filled += [(container, _content(container)) for container in hooks]
        slots = [(owner, name, getattr(owner, name, _MISSING)) for owner, name, _ in self._slots]
        states = [(save, put_back, save()) for save, put_back, _ in self._states]
        self._working = lambda: self._restore(classes, attributes, filled, slots, states)

    def restore_working(self) -> None:
        self._working()

    def put_back(self) -> None:
        attributes = [saved for _, saved in self._attributes]
        everything = self._classes, attributes, self._filled, self._slots, self._states
        try:
            self._restore(*everything)
        except BaseException:  # such as Ctrl-C on the way
            self._restore(*everything)
            raise

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
            if container or type(container) not in _BUILT_IN:
                _clear(container)
        for hooks in self._hooks:
            if any(hooks):
                for container in hooks:
                    container.clear()
        for container, content in filled:
            _refill(container, content)
        for owner, name, value in slots:
            if value is not _MISSING:
                object.__setattr__(owner, name, value)
            elif hasattr(owner, name):
                object.__delattr__(owner, name)
        for _, put_back, state in states:
            put_back(state)


_MISSING = object()
_HOOKS = tuple(
    name
    for name, value in nn.Module().__dict__.items()
    if name not in HELD_SLOTS and type(value) in _MAPPINGS
)
_hooks_of, _held_by = itemgetter(*_HOOKS), itemgetter(*HELD_SLOTS)
# Names of the attributes that each module of a frequent class of torch's has; none of them is a tensor, or a
# container that a forward pass writes to.
FREQUENT = {
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


# By the methods of the built-in classes: those of a user's own class may do more, or less.


def _base(container: Any) -> Any:
    kind = type(container)
    if kind in _BUILT_IN:
        return kind
    return next(
        base for base in (OrderedDict, dict, list, set, deque) if isinstance(container, base)
    )


def _is_empty(container: Any) -> bool:
    if type(container) in _BUILT_IN:
        return not container
    return _base(container).__len__(container) == 0


def _content(container: Any) -> Any:
    if type(container) is dict:
        return container.copy()
    base = _base(container)
    return dict(base.items(container)) if issubclass(base, dict) else [*base.__iter__(container)]


def _clear(container: Any) -> None:
    if type(container) in _BUILT_IN:
        container.clear()
    elif not _is_empty(container):
        _base(container).clear(container)


def set_item(container: Any, key: Any, value: Any) -> None:
    """``container[key] = value``, of a container in which `SavedState` found something."""
    if isinstance(container, _Slots):
        container[key] = value
    else:
        _base(container).__setitem__(container, key, value)


def _refill(container: Any, content: Any) -> None:
    if type(container) is dict:
        container.clear()
        container.update(content)
    elif isinstance(container, dict):
        base = _base(container)
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


_NOT_LOOKED_INTO = frozenset({*sys.stdlib_module_names, "numpy", "torch", "swapnas_ext"})


@ByClass
def _has_attributes(kind: type) -> bool:
    if issubclass(kind, type | BaseException):
        return False
    return kind.__dictoffset__ != 0 or bool(_slot_names(kind))


def _tuple_like(value: tuple[Any, ...], items: list[Any]) -> tuple[Any, ...]:
    """Of the same class, past its own way of making one."""
    kind: Any = type(value)
    return kind(items) if hasattr(kind, "n_sequence_fields") else tuple.__new__(kind, items)


def tensor_like(original: Tensor, values: Tensor) -> Tensor:
    """To take the place of another tensor: of its kind, with other values."""
    if type(original) is nn.Parameter:
        like: Tensor = nn.Parameter(values, original.requires_grad)
    else:
        like = values
        if original.is_leaf and original.requires_grad:
            like.requires_grad_()
    if original.__dict__:
        like.__dict__.update(original.__dict__)
    return like
