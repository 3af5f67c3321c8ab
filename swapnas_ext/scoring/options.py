"""How a score is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from swapnas_ext.capture import Plan
from swapnas_ext.measures import Measure
from swapnas_ext.models import Initializer


@dataclass(frozen=True)
class Options:
    """The options of a `Scorer`, checked."""

    initialize: Initializer | None
    repeats: int
    seed: int
    tolerance: float | None
    max_memory: int | None
    autocast: torch.dtype | None
    channels_last: bool
    plan: Plan
    measure: Measure[Any]

    def __post_init__(self) -> None:
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
        if self.repeats > 1 and self.initialize is None:
            raise ValueError(
                f"repeats={self.repeats} of the same weights give the same score; pass init='gaussian'"
            )
        if self.tolerance is not None and not 0 < self.tolerance < 1:
            raise ValueError(
                "tolerance is a relative standard error between 0 and 1 (0.01 for 1 %), got "
                f"{self.tolerance}"
            )
        if self.autocast is not None and self.autocast not in (torch.bfloat16, torch.float16):
            raise ValueError(f"autocast must be torch.bfloat16 or float16, got {self.autocast}")
