"""Strategies by name. Packages offer theirs in the entry-point group ``swapnas_ext.strategies``."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from swapnas_ext._util import Registry
from swapnas_ext.search.strategies.base import Strategy, StrategyFactory
from swapnas_ext.search.strategies.evolution import Evolution
from swapnas_ext.search.strategies.optuna_study import OptunaStudy
from swapnas_ext.search.strategies.random_search import RandomSearch
from swapnas_ext.spaces import SearchSpace

if TYPE_CHECKING:
    from swapnas_ext.search.settings import SearchSettings

_registry: Registry[StrategyFactory] = Registry("strategy", "swapnas_ext.strategies")
register_strategy = _registry.register


@register_strategy("evolution")
def evolution(space: SearchSpace, rng: random.Random, settings: SearchSettings) -> Strategy:
    return _evolution(space, rng, settings, ageing=False)


@register_strategy("ageing")
def ageing(space: SearchSpace, rng: random.Random, settings: SearchSettings) -> Strategy:
    return _evolution(space, rng, settings, ageing=True)


def _evolution(
    space: SearchSpace, rng: random.Random, settings: SearchSettings, *, ageing: bool
) -> Strategy:
    return Evolution(
        space,
        rng,
        population=settings.population,
        tournament=settings.tournament,
        children=settings.children,
        crossover=settings.crossover,
        cycles=settings.cycles,
        ageing=ageing,
    )


@register_strategy("random")
def random_search(space: SearchSpace, rng: random.Random, settings: SearchSettings) -> Strategy:
    return RandomSearch(space, rng, settings.children)


@register_strategy("optuna")
def optuna(space: SearchSpace, rng: random.Random, settings: SearchSettings) -> Strategy:
    return OptunaStudy(space, rng, population=settings.population, chunk=settings.children)


STRATEGIES = _registry.registered()
"""The names of the strategies in this package."""


def strategy_factory(strategy: str | StrategyFactory) -> StrategyFactory:
    """The class or function that makes a strategy, given by name, as ``MODULE:NAME``, or itself.

    Raises:
        ValueError: the name is unknown.
        ImportError: there is no such module.
        TypeError: neither a name nor callable.
    """
    if isinstance(strategy, str):
        return _registry.get(strategy)
    if not callable(strategy):
        hint = ": give its class, since each size of a family needs one of its own"
        raise TypeError(
            "strategy must be a name, or a class or function that is called with space, rng and settings, got "
            f"{strategy!r}{hint if hasattr(strategy, 'ask') else ''}"
        )
    return strategy


def strategy_name(strategy: str | StrategyFactory) -> str:
    """The name that run files record: the registered name, or ``module:qualname``. Raises the errors of
    `strategy_factory`."""
    if isinstance(strategy, str) and ":" not in strategy:
        return strategy
    return _registry.name_of(strategy_factory(strategy))


def make_strategy(space: SearchSpace, rng: random.Random, settings: SearchSettings) -> Strategy:
    """Makes the strategy of the settings.

    Raises:
        ImportError: the strategy needs a package that is not installed.
        RuntimeError: its class or function raises an error.
        TypeError: the result has no methods ask and tell.
    """
    name = strategy_name(settings.strategy)
    factory = strategy_factory(settings.strategy)
    try:
        made = factory(space, rng, settings)
    except ImportError:
        raise
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise RuntimeError(
            f"the strategy {name} can't be made with space, rng and settings: {type(error).__name__}: {error}"
        ) from error
    if not callable(getattr(made, "ask", None)) or not callable(getattr(made, "tell", None)):
        raise TypeError(
            f"the strategy {name} makes {type(made).__name__}, which has no methods ask and tell"
        )
    return made
