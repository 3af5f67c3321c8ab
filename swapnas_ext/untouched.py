"""Runs a model the way scores need it, and hands it back exactly as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import (
    BATCH_NORM_FORWARD,
    BATCH_NORMS,
    INSTANCE_NORMS,
    buffers_of,
    children_of,
    may_be_compiled,
    may_have_forward_hooks,
    parameters_of,
    put_back,
)

# Frequent modules that do the same in training and evaluation, and are no activations.
_ONLY_COMPUTING = frozenset(
    {
        nn.AvgPool2d,
        nn.Conv2d,
        nn.Flatten,
        nn.Identity,
        nn.LayerNorm,
        nn.Linear,
        nn.MaxPool2d,
        nn.ModuleDict,
        nn.ModuleList,
        nn.Sequential,
    }
)


Path = tuple[Any, str] | None
"""Where a module is: the path of its parent, and its own name; None for the model. Few need a name."""


def name_of(path: Path) -> str:
    """As in ``named_modules``."""
    if path is None:
        return ""
    parent, name = path
    return name if parent is None else f"{name_of(parent)}.{name}"


@dataclass
class Walk:
    """What there is in a model, found in one walk: for a small model a walk takes as long as a layer."""

    modules: list[nn.Module]
    """In the order of ``modules()``, without those that only compute: no activation, mode, buffer or
    hook."""
    paths: list[Path]
    parameters: dict[int, nn.Parameter]
    """By identity, so that tied ones are there once."""

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters.values())


def walk(model: nn.Module) -> Walk:
    found = Walk([], [], {})
    parameters = found.parameters
    seen: set[int] = set()
    pending: list[tuple[Path, nn.Module]] = [(None, model)]
    while pending:
        path, module = pending.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        if isinstance(module, torch.jit.ScriptModule):  # keeps it all elsewhere
            found.modules.append(module)
            found.paths.append(path)
            parameters.update((id(parameter), parameter) for parameter in module.parameters())
            continue
        for parameter in parameters_of(module).values():
            if parameter is not None:
                parameters[id(parameter)] = parameter
        if (
            type(module) not in _ONLY_COMPUTING
            or buffers_of(module)
            or may_have_forward_hooks(module)
        ):
            found.modules.append(module)
            found.paths.append(path)
        children = children_of(module)
        if children:
            for name in reversed(children):
                child = children[name]
                if child is not None:
                    pending.append(((path, name), child))
    return found


@contextmanager
def scoring_mode(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Everything in evaluation mode (no dropout), but normalisation layers with the statistics of
    the mini-batch, as in the published code, whose networks run in training mode. Running statistics
    are neither used nor changed."""
    # Attributes are changed past nn.Module.__setattr__, which takes longer than a small layer.
    changed: list[tuple[dict[str, Any], str, bool]] = []
    try:
        for module in modules:
            attributes = module.__dict__
            if isinstance(module, torch.jit.ScriptModule):  # runs in the mode it is in
                continue
            is_norm, is_batch_norm = _norm_kind(type(module))
            if attributes.get("training", is_norm) is not is_norm:  # a compiled module has none
                changed.append((attributes, "training", not is_norm))
                attributes["training"] = is_norm
            if is_batch_norm and attributes["track_running_stats"]:
                changed.append((attributes, "track_running_stats", True))
                attributes["track_running_stats"] = False
            if type(module) is nn.TransformerEncoder and attributes["use_nested_tensor"]:
                # Padded tokens would be left out, and the shapes of activations depend on the padding.
                changed.append((attributes, "use_nested_tensor", True))
                attributes["use_nested_tensor"] = False
        yield
    finally:
        for attributes, name, old in reversed(changed):
            attributes[name] = old


@cache
def _norm_kind(kind: type[nn.Module]) -> tuple[bool, bool]:
    """Whether it normalises with statistics of the mini-batch, and whether it is a BatchNorm."""
    return issubclass(kind, BATCH_NORMS + INSTANCE_NORMS), issubclass(kind, BATCH_NORMS)


class RestoredBuffers:
    """Puts back every buffer that is changed or replaced meanwhile. ``batch_norm=False`` leaves out
    those of batch normalisation, which `scoring_mode` protects for less."""

    def __init__(self, modules: Sequence[nn.Module], *, batch_norm: bool) -> None:
        self._saved: list[tuple[nn.Module | None, str, Tensor | None, Tensor | None]] = []
        for module in modules:
            if isinstance(module, torch.jit.ScriptModule):
                self._saved += [(None, "", b, b.clone()) for b in module.buffers()]
            elif buffers_of(module) and (batch_norm or not _is_plain_batch_norm(module)):
                for name, buffer in buffers_of(module).items():
                    value = None if buffer is None else buffer.clone()
                    self._saved.append((module, name, buffer, value))

    def __enter__(self) -> RestoredBuffers:
        return self

    @torch.no_grad()
    def again(self) -> None:
        """Gives the buffers the values that they came with."""
        for module, name, buffer, value in self._saved:
            # Not by version counters, which batch_norm does not tell, and not where nothing changed: a
            # graph that waits for its backward pass may hold the buffer.
            if buffer is not None and not torch.equal(buffer, value):
                try:
                    buffer.copy_(value)
                except RuntimeError:  # resized, or of inference mode
                    buffer.data = value.clone()
            if module is not None:
                put_back(module, "buffers", {**buffers_of(module), name: buffer})

    def __exit__(self, *_: object) -> None:
        self.again()


def _is_plain_batch_norm(module: nn.Module) -> bool:
    is_batch_norm = _norm_kind(type(module))[1] and type(module).forward is BATCH_NORM_FORWARD
    return is_batch_norm and len(buffers_of(module)) == 3


class BorrowedWeights:
    """Lets the weights be overwritten meanwhile: they are copies, and the caller's come back."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self._saved = [(parameter, parameter.data) for parameter in parameters]

    def __enter__(self) -> BorrowedWeights:
        try:
            for parameter, data in self._saved:
                parameter.data = data.clone()
        except BaseException:  # such as too little memory for the copies
            self.__exit__()
            raise
        return self

    def changed(self) -> nn.Parameter | None:
        """A parameter whose copy has another value than the caller's."""
        return next((p for p, data in self._saved if not torch.equal(p.data, data)), None)

    def again(self) -> None:
        """Gives the copies the caller's values once more."""
        with torch.no_grad():
            for parameter, data in self._saved:
                parameter.data.copy_(data)

    def lay_out(self, memory_format: torch.memory_format) -> None:
        """Of the copies of convolutions' weights."""
        for parameter, data in self._saved:
            if data.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=memory_format)

    def __exit__(self, *_: object) -> None:
        for parameter, data in self._saved:
            parameter.data = data


class RestoredAttributes:
    """Puts back what a forward pass sets as attributes of modules whose ``forward`` is not torch's, such as
    ``self.last = x``, and the parameters and children that it replaces there."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._saved = [
            (
                module,
                dict(module.__dict__),
                dict(parameters_of(module)),
                dict(children_of(module)),
            )
            for module in modules
            if not _is_forward_of_torch(type(module))
        ]

    def __enter__(self) -> RestoredAttributes:
        return self

    def again(self) -> None:
        for module, attributes, parameters, children in self._saved:
            module.__dict__.clear()
            module.__dict__.update(attributes)
            put_back(module, "parameters", parameters)
            put_back(module, "modules", children)

    def __exit__(self, *_: object) -> None:
        self.again()


@cache
def _is_forward_of_torch(kind: type[nn.Module]) -> bool:
    if issubclass(kind, torch.jit.ScriptModule):  # has no function to ask
        return True
    return (getattr(kind.forward, "__module__", None) or "").startswith("torch.")


_random_lock = threading.Lock()
_random_users: dict[torch.Generator, int] = {}
_random_states: dict[torch.Generator, Tensor] = {}


@contextmanager
def own_random_state(device: torch.device) -> Iterator[Callable[[int], None]]:
    """Gives a function that seeds torch's random numbers; the caller's random state comes back. torch has
    one for all threads: the first one here saves it, and the last one puts it back."""
    generators = [torch.default_generator]
    if device.type == "cuda":
        generators.append(torch.cuda.default_generators[device.index])
    with _random_lock:
        for generator in generators:
            if not _random_users.get(generator):
                _random_states[generator] = generator.get_state()
            _random_users[generator] = _random_users.get(generator, 0) + 1

    def seed(value: int) -> None:
        for generator in generators:
            generator.manual_seed(value)

    try:
        yield seed
    finally:
        with _random_lock:
            for generator in generators:
                _random_users[generator] -= 1
                if not _random_users[generator]:
                    generator.set_state(_random_states.pop(generator))


_uncompiled_lock = threading.Lock()
_uncompiled_stack = ExitStack()
_uncompiled_users = 0


@contextmanager
def uncompiled() -> Iterator[None]:
    """What was compiled by ``torch.compile`` runs as it was written: activations that are fused can't be
    seen. A setting of the process, made by the first thread that needs it and undone by the last."""
    global _uncompiled_users
    if not may_be_compiled():  # importing torch's compiler would take seconds
        yield
        return
    with _uncompiled_lock:
        if _uncompiled_users == 0:
            _uncompiled_stack.enter_context(torch.compiler.set_stance("force_eager"))
        _uncompiled_users += 1
    try:
        yield
    finally:
        with _uncompiled_lock:
            _uncompiled_users -= 1
            if _uncompiled_users == 0:
                _uncompiled_stack.close()
