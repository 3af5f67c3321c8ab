"""The options of a score: their types, defaults and checks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

import torch

from swapnas_ext import measures
from swapnas_ext.capture import Mode, Plan, Select, UserRules
from swapnas_ext.measures import AnyMeasure, Measure
from swapnas_ext.models import OWN, Initializer, initialization
from swapnas_ext.patterns import NanPolicy
from swapnas_ext.scoring import regularization


class ScoringOptions(TypedDict, total=False):
    """Keyword arguments of `Scorer` and `score`; `Scorer` says what each is."""

    repeats: int
    init: str | Initializer | None
    mu: float | None
    sigma: float | None
    seed: int
    samples: int | None
    nan_policy: NanPolicy
    capture: Mode
    select: Select | None
    rules: UserRules | None
    tolerance: float | None
    max_memory: int | None
    autocast: torch.dtype | None
    channels_last: bool
    fast_layers: bool
    measure: AnyMeasure


DEFAULTS: ScoringOptions = {
    "repeats": 1,
    "init": None,
    "mu": None,
    "sigma": None,
    "seed": 0,
    "samples": None,
    "nan_policy": "raise",
    "capture": "auto",
    "select": None,
    "rules": None,
    "tolerance": None,
    "max_memory": None,
    "autocast": None,
    "channels_last": False,
    "fast_layers": True,
    "measure": "patterns",
}


def with_defaults(given: ScoringOptions, function: str) -> ScoringOptions:
    """Raises TypeError for an option that there is not, as Python does."""
    unknown = sorted(given.keys() - DEFAULTS.keys())
    if unknown:
        raise TypeError(
            f"{function}() got an unexpected keyword argument {unknown[0]!r}; it takes {', '.join(DEFAULTS)}"
        )
    return {**DEFAULTS, **given}


def signature(function: Callable[..., Any]) -> inspect.Signature:
    """That of a function which takes ``**options``, with the name, type and default of each option."""
    told = inspect.signature(function)
    parameters = [p for p in told.parameters.values() if p.kind is not p.VAR_KEYWORD]
    types = {
        name: getattr(kind, "__forward_arg__", kind)  # as written, where annotations are text
        for name, kind in ScoringOptions.__annotations__.items()
    }
    parameters += [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=types[name]
        )
        for name, default in DEFAULTS.items()
    ]
    return told.replace(parameters=parameters)


@dataclass(frozen=True)
class Options:
    """Options that fit together."""

    initialize: Initializer | None
    repeats: int
    seed: int
    mu: float | None
    sigma: float | None
    nan_policy: NanPolicy
    tolerance: float | None
    max_memory: int | None
    autocast: torch.dtype | None
    channels_last: bool
    fast_layers: bool
    plan: Plan
    measure: Measure[Any]

    @classmethod
    def of(cls, given: ScoringOptions) -> Options:
        """Of options with their defaults.

        Raises:
            TypeError, ValueError: an option that can't be, or some that don't go together.
        """
        measure = measures.get(given["measure"])
        init = measure.default_init if given["init"] == OWN else given["init"]
        return cls(
            initialize=initialization.get(None if init == OWN else init),
            repeats=given["repeats"],
            seed=given["seed"],
            mu=given["mu"],
            sigma=given["sigma"],
            nan_policy=given["nan_policy"],
            tolerance=given["tolerance"],
            max_memory=given["max_memory"],
            autocast=given["autocast"],
            channels_last=given["channels_last"],
            fast_layers=given["fast_layers"],
            plan=Plan(given["capture"], given["rules"] or {}, given["select"]),
            measure=measure,
        )

    def __post_init__(self) -> None:
        regularization.check_mu_sigma(self.mu, self.sigma)
        for name, value in (("repeats", self.repeats), ("max_memory", self.max_memory)):
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be an int, got {type(value).__name__}")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise TypeError(f"seed must be an int, got {type(self.seed).__name__}")
        if not 0 <= self.seed < 2**63 - self.repeats:
            raise ValueError(f"seed must be from 0 to 2^63 - repeats, got {self.seed}")
        if self.tolerance is not None and not isinstance(self.tolerance, int | float):
            raise TypeError(f"tolerance must be a number, got {type(self.tolerance).__name__}")
        if self.tolerance is not None and not 0 < self.tolerance < 1:
            raise ValueError(
                "tolerance is a relative standard error between 0 and 1 (0.01 for 1 %), got "
                f"{self.tolerance}"
            )
        if self.autocast is not None and self.autocast not in (torch.bfloat16, torch.float16):
            raise ValueError(f"autocast must be torch.bfloat16 or float16, got {self.autocast}")
