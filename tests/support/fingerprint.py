"""The state of a model that scoring must not change."""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from functools import partial
from types import MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def fingerprint(model: nn.Module) -> dict[str, Any]:
    """Maps each place to its state: values of tensors with their identity, version, mode and gradient;
    attributes, hooks and contents of containers by identity; modes, classes, ``__slots__``; generators."""
    found: dict[str, Any] = {}
    _Walk(found).module("", model)
    found["torch's generator"] = torch.get_rng_state()
    found["Python's generator"] = random.getstate()
    found["NumPy's generator"] = np.random.get_state()
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    names = before.keys() | after.keys()
    return sorted(
        name
        for name in names
        if name not in before or name not in after or not _same(before[name], after[name])
    )


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def _is_plain(value: Any) -> bool:
    """Whether it belongs to the zoo or is a namespace: attributes of other objects are not compared."""
    where = type(value).__module__
    return where == "types" or where.startswith("support.zoo.")


class _Walk:
    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found
        self.seen: set[int] = set()

    def module(self, path: str, module: nn.Module) -> None:
        if id(module) in self.seen:
            return
        self.seen.add(id(module))
        self.found[f"{path}: class"] = type(module)
        if isinstance(module, torch.jit.ScriptModule):
            for name, tensor in (*module.named_parameters(), *module.named_buffers()):
                self.tensor(f"{path}.{name}", tensor)
            return
        self.items(path, module.__dict__.items())
        for ancestor in type(module).__mro__:
            for name in ancestor.__dict__.get("__slots__", ()):
                name = f"_{ancestor.__name__}{name}" if name.startswith("__") else name
                value = getattr(module, name, "missing")
                self.items(f"{path}: slot", [(name, value)])

    def items(self, path: str, items: Any) -> None:
        for key, value in items:
            self.value(f"{path}.{key}", value)

    def value(self, path: str, value: Any) -> None:
        self.found[f"{path} is"] = id(value)
        if isinstance(value, nn.Module):
            self.module(path, value)
            return
        if isinstance(value, Tensor):
            self.tensor(path, value)
        elif isinstance(value, dict):  # despite its own methods
            items = (
                OrderedDict.items(value) if isinstance(value, OrderedDict) else dict.items(value)
            )
            self.found[f"{path} has"] = tuple(id(item) for _, item in items)
            self.items(path, items)
        elif isinstance(value, list | tuple | deque):
            items = list(list.__iter__(value) if isinstance(value, list) else value)
            self.items(path, enumerate(items))
            self.found[f"{path} has"] = len(items)
        elif isinstance(value, set):
            self.found[f"{path} has"] = set(value)
        elif isinstance(value, np.ndarray | bytearray):
            self.found[f"{path} has"] = value.copy()
        elif isinstance(value, torch.Generator):
            self.found[f"{path} state"] = value.get_state()
        elif isinstance(value, random.Random):
            self.found[f"{path} state"] = value.getstate()
        elif isinstance(value, np.random.RandomState):
            self.found[f"{path} state"] = value.get_state()
        elif isinstance(value, np.random.Generator):
            self.found[f"{path} state"] = str(value.bit_generator.state)
        if isinstance(value, torch.optim.Optimizer):
            self.items(path, [("state", value.state), ("groups", value.param_groups)])
        elif hasattr(value, "__dict__") and _is_plain(value):
            self.items(f"{path} attribute", vars(value).items())
        elif isinstance(value, partial):
            self.items(path, enumerate(value.args))
        elif isinstance(value, MethodType):
            self.value(f"{path} self", value.__self__)

    def tensor(self, path: str, tensor: Tensor) -> None:
        self.found[f"{path} values"] = tensor.detach().clone()
        version = None if tensor.is_inference() else tensor._version
        grad = tensor.grad if tensor.is_leaf else None
        self.found[f"{path} tensor"] = (
            id(tensor),
            tensor.data_ptr(),
            version,
            tensor.requires_grad,
            id(grad),
            id(tensor.grad_fn),
            tuple(tensor.shape),
        )
        if grad is not None:
            self.found[f"{path} grad"] = grad.detach().clone()
        self.items(f"{path} attribute", tensor.__dict__.items())
