"""Strategies choose the architectures that a search scores next."""

from __future__ import annotations

from swapnas_ext.search.strategies.base import (
    Admit,
    Individual,
    Proposal,
    Strategy,
    StrategyFactory,
)
from swapnas_ext.search.strategies.evolution import Evolution
from swapnas_ext.search.strategies.optuna_study import OptunaStudy
from swapnas_ext.search.strategies.random_search import TRIES, RandomSearch
from swapnas_ext.search.strategies.registry import (
    STRATEGIES,
    make_strategy,
    register_strategy,
    strategy_factory,
    strategy_name,
)

__all__ = [
    "STRATEGIES",
    "TRIES",
    "Admit",
    "Evolution",
    "Individual",
    "OptunaStudy",
    "Proposal",
    "RandomSearch",
    "Strategy",
    "StrategyFactory",
    "make_strategy",
    "register_strategy",
    "strategy_factory",
    "strategy_name",
]
