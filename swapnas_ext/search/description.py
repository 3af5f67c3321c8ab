"""Describes the settings that scores depend on, in plain values. Run files record them, and a search resumes only with
the same ones."""

from __future__ import annotations

import hashlib
from typing import Any

import torch

from swapnas_ext._util import full_name
from swapnas_ext.models import OWN, Initializer
from swapnas_ext.scoring import Scorer
from swapnas_ext.spaces import SearchSpace, name_of

_PLAIN = (str, int, float, bool, type(None))


def describe_scorer(scorer: Scorer) -> dict[str, Any]:
    """The settings of a scorer and a digest of its inputs, for JSON."""
    settings = scorer.options
    initialize = settings.initialize
    return {
        "inputs": _digest(scorer),
        "measure": settings.measure.name,
        "samples": scorer.samples,
        "repeats": settings.repeats,
        "init": OWN if scorer.draws_for_each else _init_name(initialize),
        "seed": settings.seed,
        "tolerance": settings.tolerance,
        "capture": settings.plan.mode,
        "select": repr(settings.plan.select),
        "autocast": str(settings.autocast),
        "channels_last": settings.channels_last,
        "fast_layers": settings.fast_layers,
        "mu": scorer.mu,
        "sigma": scorer.sigma,
    }


def _init_name(initialize: Initializer | None) -> str:
    return "keep" if initialize is None else initialize.__name__.rstrip("_")


def describe_space(space: SearchSpace) -> dict[str, Any]:
    """The name of a space and its attributes that are plain values, for JSON."""
    attributes = {name: value for name, value in vars(space).items() if _is_plain(value)}
    return {"name": space_name(type(space)), **attributes}


def space_name(kind: type[SearchSpace]) -> str:
    """The name of a class of spaces in run files."""
    return name_of(kind) or full_name(kind)


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _digest(scorer: Scorer) -> str:
    digest = hashlib.sha256()
    args, kwargs = scorer.batch.on(torch.device("cpu"))
    for value in (*args, *kwargs.values()):
        if isinstance(value, torch.Tensor):
            digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
