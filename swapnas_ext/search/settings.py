"""The settings of a search."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from swapnas_ext.scoring import regularization
from swapnas_ext.search.costs import COSTS, cost_of
from swapnas_ext.search.strategies import (
    StrategyFactory,
    strategy_factory,
    strategy_name,
)

_SIZE = "Size and limits"


def _about(
    help: str,
    *,
    unit: str = "",
    option: bool = True,
    group: str = "Strategy",
    choices: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The metadata of a setting: its help, the unit of its numbers, whether it is an ``option`` of the command, its
    group, and its possible values where these are few texts."""
    return {"help": help, "unit": unit, "option": option, "group": group, "choices": choices}


@dataclass(frozen=True)
class SearchSettings:
    """Everything that decides which architectures a search tries, and how it ranks them.

    The metadata of each field describe it. Sizes are those of the final networks (see `SearchSpace.final`); for
    ``population``, ``tournament``, ``children``, ``crossover`` and ``cycles`` see `Evolution`, for ``mu`` and
    ``sigma`` see `regularization`, for ``objective`` `COSTS`. The searches of a family, one for each of several
    ``target_params``, share the ``candidates``.

    Raises:
        TypeError, ValueError: a value is invalid, or values contradict each other.
        ImportError: ``strategy`` names a module that can't be imported.
    """

    candidates: int = field(default=1000, metadata=_about("Tries at most this many architectures."))
    strategy: str | StrategyFactory = field(
        default="evolution",
        metadata=_about(
            "evolution: SWAP-NAS, the worst individual leaves; ageing: the oldest leaves; random; optuna: NSGA-II "
            "over score and size, or the objective; or MODULE:NAME, a class or function of your own."
        ),
    )
    population: int = field(
        default=64, metadata=_about("P, size of the population (optuna: that of NSGA-II).")
    )
    tournament: int = field(
        default=16, metadata=_about("k, size of a tournament. Its best individual is the parent.")
    )
    children: int = field(
        default=5,
        metadata=_about("M, mutants of a parent. The best of them joins the population."),
    )
    crossover: float = field(
        default=0.5, metadata=_about("Probability that the parent is a crossover of the best two.")
    )
    cycles: int | None = field(
        default=None,
        metadata=_about(
            "Runs at most this many cycles of evolution. Default: as many as candidates allow.",
            option=False,
        ),
    )
    ahead: int = field(
        default=8,
        metadata=_about(
            "At most this many proposals (of evolution: cycles) are pending. More keep more workers busy; 1 is "
            "exactly the published algorithm. The result depends on this number, and not on the workers."
        ),
    )
    seed: int = field(
        default=0,
        metadata=_about(
            "Seed of the search's random choices (with the command, of the weights too)."
        ),
    )
    mu: float | None = field(
        default=None,
        metadata=_about("Target size, in thousands of parameters; needs sigma.", group=_SIZE),
    )
    sigma: float | None = field(
        default=None,
        metadata=_about(
            "Width around mu, in squared thousands of parameters: see swapnas calibrate.",
            group=_SIZE,
        ),
    )
    target_params: tuple[float, ...] = field(
        default=(),
        metadata=_about(
            "Target size, in parameters of the final network, such as 1.5M. Several sizes, such as 1M,2M,4M, "
            "give a family of models. Replaces mu and sigma.",
            unit="parameters",
            group=_SIZE,
        ),
    )
    calibration: int = field(
        default=64,
        metadata=_about(
            "Number of random architectures that sigma is calibrated with, for target sizes.",
            group=_SIZE,
        ),
    )
    objective: str | None = field(
        default=None,
        metadata=_about(
            "Searches for the Pareto front of the score and this cost of the final network on one sample; lower is "
            "better. Every candidate's cost is recorded.",
            group=_SIZE,
            choices=tuple(COSTS),
        ),
    )
    max_params: float | None = field(
        default=None,
        metadata=_about(
            "Largest number of parameters of the final network, such as 3.3M.",
            unit="parameters",
            group=_SIZE,
        ),
    )
    max_flops: float | None = field(
        default=None,
        metadata=_about(
            "Largest number of operations of the final network on one sample, such as 600M. A multiplication "
            "with addition counts as two.",
            unit="operations",
            group=_SIZE,
        ),
    )
    max_peak_memory: float | None = field(
        default=None,
        metadata=_about(
            "Most memory that the tensors of the final network take at one time for one sample, such as 64MB, counted "
            "without running it.",
            unit="bytes",
            group=_SIZE,
        ),
    )
    max_latency: float | None = field(
        default=None,
        metadata=_about(
            "Longest time that the final network takes for one sample, such as 20ms (2 is two seconds): on one thread "
            "here, while no other worker works, or on the first --latency-command. Such a search can't be repeated "
            "exactly.",
            unit="seconds",
            group=_SIZE,
        ),
    )

    def __post_init__(self) -> None:
        strategy_factory(self.strategy)
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
        if self.objective is not None:
            cost_of(self.objective)
            if self.target_params:
                raise ValueError(
                    f"give target_params, for models of these sizes, or the objective {self.objective}, for a front of "
                    "all sizes, not both; max_params limits the size of a front"
                )
        limits = [("target_params", size) for size in self.target_params]
        limits += [(cost.limit, getattr(self, cost.limit)) for cost in COSTS.values()]
        for name, value in limits:
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive, got {value}")
        if self.candidates < len(self.target_params):
            raise ValueError(
                f"{self.candidates} candidates are too few for {len(self.target_params)} sizes"
            )

    def for_json(self) -> dict[str, Any]:
        """The settings as run files record them."""
        values = {setting.name: getattr(self, setting.name) for setting in fields(self)}
        return {
            **values,
            "strategy": strategy_name(self.strategy),
            "target_params": list(self.target_params),
        }
