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
def evolution(
    space: SearchSpace, rng: random.Random, settings: SearchSettings, *, ageing: bool = False
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


@register_strategy("ageing")
def ageing(space: SearchSpace, rng: random.Random, settings: SearchSettings) -> Strategy:
    return evolution(space, rng, settings, ageing=True)


@register_strategy("random")
def random_search(space: SearchSpace, rng: random.Random, settings: SearchSettings) -> Strategy:
    return RandomSearch(space, rng, settings.children)


@register_strategy("optuna")
def optuna(space: SearchSpace, rng: random.Random, settings: SearchSettings) -> Strategy:
    return OptunaStudy(space, rng, population=settings.population, chunk=settings.children)


STRATEGIES = _registry.registered()
"""The names of those that come with this package."""


def strategy_factory(strategy: str | StrategyFactory) -> StrategyFactory:
    """What makes a strategy that is given by name, as ``MODULE:NAME``, or as what makes it.

    Raises:
        ValueError: an unknown name.
        ImportError: there is no such module.
        TypeError: nothing that makes a strategy.
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
    """As run files have it: the registered name, or ``module:qualname`` of one's own. Raises as
    `strategy_factory` does."""
    if isinstance(strategy, str) and ":" not in strategy:
        return strategy
    return _registry.name_of(strategy_factory(strategy))


def make_strategy(space: SearchSpace, rng: random.Random, settings: SearchSettings) -> Strategy:
    """The strategy of the settings.

    Raises:
        ImportError: it needs a package that is not installed.
        RuntimeError: it fails where it is made.
        TypeError: what is made is no strategy.
    """
    name = strategy_name(settings.strategy)
    factory = strategy_factory(settings.strategy)
    try:
        made = factory(space, rng, settings)
    except ImportError:
        raise
    except (Exception, SystemExit) as error:  # code of one's own may raise anything
        raise RuntimeError(
            f"the strategy {name} can't be made with space, rng and settings: {type(error).__name__}: {error}"
        ) from error
    if not callable(getattr(made, "ask", None)) or not callable(getattr(made, "tell", None)):
        raise TypeError(
            f"the strategy {name} makes {type(made).__name__}, which has no methods ask and tell"
        )
    return made
