"""Sets the modes in which a model is scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ref

import torch
from torch import nn

from swapnas_ext._torch_private import BATCH_NORMS, INSTANCE_NORMS, may_be_compiled
from swapnas_ext._util import ByClass


def set_scoring_mode(modules: Iterable[nn.Module]) -> list[tuple[dict[str, Any], str, Any]]:
    """Puts modules into evaluation mode, without dropout, and normalisation layers into training mode.

    Normalisation then uses the statistics of the mini-batch, as in the published code. It neither uses nor
    changes running statistics.

    Returns:
        what it changed: the attributes of a module, the name of one of them, and its value before.
    """
    changed: list[tuple[dict[str, Any], str, Any]] = []
    # Not through nn.Module.__setattr__, which takes longer than a small layer.
    try:
        for module in modules:
            kind = type(module)
            mode = _mode_of[ref(kind)]
            if mode is None:
                continue
            attributes = module.__dict__
            for name, value in mode:
                before = attributes.get(name, value)  # a compiled module has no mode
                if before is not value:
                    changed.append((attributes, name, before))
                    attributes[name] = value
    except BaseException:  # such as Ctrl-C
        put_back_modes(changed)
        raise
    return changed


def put_back_modes(changed: Iterable[tuple[dict[str, Any], str, Any]]) -> None:
    """Undoes what `set_scoring_mode` changed."""
    for attributes, name, value in changed:
        attributes[name] = value


@ByClass
def _mode_of(kind: type[nn.Module]) -> tuple[tuple[str, bool], ...] | None:
    """The attributes that are the mode of a class, and their values; None for TorchScript, whose mode is fixed."""
    if issubclass(kind, torch.jit.ScriptModule):
        return None
    is_batch_norm = issubclass(kind, BATCH_NORMS)
    mode = (("training", is_batch_norm or issubclass(kind, INSTANCE_NORMS)),)
    if is_batch_norm:
        return (*mode, ("track_running_stats", False))
    if kind is nn.TransformerEncoder:
        # A nested tensor leaves padded tokens out, so that shapes of activations depend on the padding.
        return (*mode, ("use_nested_tensor", False))
    return mode


@contextmanager
def uncompiled() -> Iterator[None]:
    """A context in which models run without ``torch.compile``, whose fused activations can't be observed. The
    setting applies to the whole process."""
    if not may_be_compiled():  # importing torch's compiler would take seconds
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield
