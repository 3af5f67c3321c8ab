"""What a search is told to do."""

from __future__ import annotations

import math
from dataclasses import dataclass

from swapnas_ext.scoring import regularization

STRATEGIES = ("evolution", "ageing", "random", "optuna")


@dataclass(frozen=True)
class SearchSettings:
    """Everything that decides which architectures a search tries, and how it ranks them.

    Sizes are those of the final networks (see `SearchSpace.final`).

    Args:
        candidates: architectures to try, at most.
        strategy: ``"evolution"`` (SWAP-NAS), ``"ageing"`` (ageing evolution), ``"random"``, or ``"optuna"``
            (NSGA-II over score and size).
        population, tournament, children, crossover: see `Evolution`. With Optuna, ``population`` is that of
            NSGA-II.
        cycles: of evolution; by default, as many as ``candidates`` allow.
        ahead: proposals of the strategy that are out at a time: more keep more workers busy, and each
            knows less of the ones before it. With 1, evolution is the published algorithm to the letter.
            Workers make no difference to the result; this does.
        seed: of the strategy's random choices.
        mu, sigma: the score is regularised by size: see `regularization`, in thousands of parameters.
        target_params: sizes wanted, in parameters. For each, mu is the size, and sigma comes from
            ``calibration`` random architectures. More than one make a family of models: a search for each,
            with an equal part of ``candidates``.
        calibration: architectures that sigma is calibrated with, where ``target_params`` are given.
        max_params, max_flops, max_latency: hard limits: parameters; operations of one sample (two for a
            multiplication with addition); seconds of one sample, measured where it is scored. A run with a
            limit of latency can't be repeated exactly.
    """

    candidates: int = 1000
    strategy: str = "evolution"
    population: int = 64
    tournament: int = 16
    children: int = 5
    crossover: float = 0.5
    cycles: int | None = None
    ahead: int = 8
    seed: int = 0
    mu: float | None = None
    sigma: float | None = None
    target_params: tuple[float, ...] = ()
    calibration: int = 64
    max_params: float | None = None
    max_flops: float | None = None
    max_latency: float | None = None

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(
                f"strategy must be one of {', '.join(STRATEGIES)}, got {self.strategy!r}"
            )
        counts = ("candidates", "population", "tournament", "children", "ahead")
        for name, least in (*((name, 1) for name in counts), ("seed", 0), ("calibration", 8)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be an int, got {type(value).__name__}")
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if self.cycles is not None:
            if isinstance(self.cycles, bool) or not isinstance(self.cycles, int):
                raise TypeError(f"cycles must be an int, got {type(self.cycles).__name__}")
            if self.cycles < 0:
                raise ValueError(f"cycles must be at least 0, got {self.cycles}")
        if not isinstance(self.target_params, tuple):
            kind = type(self.target_params).__name__
            raise TypeError(f"target_params must be a tuple of sizes, got {kind}")
        if not 0 <= self.crossover <= 1:
            raise ValueError(f"crossover must be from 0 to 1, got {self.crossover}")
        regularization.check_mu_sigma(self.mu, self.sigma)
        if self.mu is not None and self.target_params:
            raise ValueError("give mu and sigma, or target_params, not both")
        limits = [("target_params", size) for size in self.target_params]
        limits += [
            (name, getattr(self, name)) for name in ("max_params", "max_flops", "max_latency")
        ]
        for name, value in limits:
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive, got {value}")
        if self.candidates < len(self.target_params):
            raise ValueError(
                f"{self.candidates} candidates are too few for {len(self.target_params)} sizes"
            )
