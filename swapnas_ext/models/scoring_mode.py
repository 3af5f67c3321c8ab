"""Sets the modes in which a model is scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from weakref import ref

import torch
from torch import nn

from swapnas_ext._torch_private import BATCH_NORMS, INSTANCE_NORMS, may_be_compiled
from swapnas_ext._util import ByClass


def set_scoring_mode(modules: Iterable[nn.Module]) -> None:
    """Puts modules into evaluation mode, without dropout, and normalisation layers into training mode.

    Normalisation then uses the statistics of the mini-batch, as in the published code. It neither uses nor
    changes running statistics.
    """
    # Not through nn.Module.__setattr__, which takes longer than a small layer.
    for module in modules:
        if isinstance(module, torch.jit.ScriptModule):  # its mode is fixed
            continue
        attributes = module.__dict__
        is_norm, is_batch_norm = _norm_kind[ref(type(module))]
        if "training" in attributes:  # a compiled module lacks it
            attributes["training"] = is_norm
        if is_batch_norm:
            attributes["track_running_stats"] = False
        if type(module) is nn.TransformerEncoder:
            # A nested tensor leaves padded tokens out, so that shapes of activations depend on the padding.
            attributes["use_nested_tensor"] = False


@ByClass
def _norm_kind(kind: type[nn.Module]) -> tuple[bool, bool]:
    """Whether a class normalises with statistics of the mini-batch, and whether it is a BatchNorm."""
    return issubclass(kind, BATCH_NORMS + INSTANCE_NORMS), issubclass(kind, BATCH_NORMS)


@contextmanager
def uncompiled() -> Iterator[None]:
    """A context in which models run without ``torch.compile``, whose fused activations can't be observed. The
    setting applies to the whole process."""
    if not may_be_compiled():  # importing torch's compiler would take seconds
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield
