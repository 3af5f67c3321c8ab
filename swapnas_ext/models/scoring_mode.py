"""The modes in which a model is scored."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from weakref import ref

import torch
from torch import nn

from swapnas_ext._torch_private import BATCH_NORMS, INSTANCE_NORMS, may_be_compiled
from swapnas_ext._util import ByClass


def set_scoring_mode(modules: Iterable[nn.Module]) -> None:
    """Everything in evaluation mode (no dropout), but normalisation layers with the statistics of
    the mini-batch, as in the published code, whose networks run in training mode. Running statistics
    are neither used nor changed."""
    # Attributes are changed past nn.Module.__setattr__, which takes longer than a small layer.
    for module in modules:
        if isinstance(module, torch.jit.ScriptModule):  # runs in the mode it is in
            continue
        attributes = module.__dict__
        is_norm, is_batch_norm = _norm_kind[ref(type(module))]
        if "training" in attributes:  # a compiled module has none
            attributes["training"] = is_norm
        if is_batch_norm:
            attributes["track_running_stats"] = False
        if type(module) is nn.TransformerEncoder:
            # Padded tokens would be left out, and the shapes of activations depend on the padding.
            attributes["use_nested_tensor"] = False


@ByClass
def _norm_kind(kind: type[nn.Module]) -> tuple[bool, bool]:
    """Whether it normalises with statistics of the mini-batch, and whether it is a BatchNorm."""
    return issubclass(kind, BATCH_NORMS + INSTANCE_NORMS), issubclass(kind, BATCH_NORMS)


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
