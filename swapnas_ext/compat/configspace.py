"""For ConfigSpace: a `ConfigurationSpace` as a search space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from swapnas_ext._util import full_name
from swapnas_ext.compat.spread import STEPS, spread_floats, spread_integers
from swapnas_ext.spaces import Choose, DecisionSpace, Options


def space(
    config_space: Any,
    build: Callable[[dict[str, Any]], nn.Module],
    *,
    steps: int = STEPS,
    input_size: tuple[int, int, int] = (3, 32, 32),
) -> DecisionSpace:
    """The search space of a `ConfigurationSpace`, with its conditions and forbidden clauses.

    Architectures are strings such as ``depth=2,act=relu``: the hyperparameters that are active. Random architectures
    are uniform over the options of each; priors and weights are not used.

    Args:
        config_space: categorical, ordinal, constant, integer and float hyperparameters.
        build: makes the network of a configuration, a dict of the active hyperparameters.
        steps: so many values stand for a range of floats, evenly spread on its scale (linear or logarithmic), and for
            a range of more than 100 integers.
        input_size: channels, height and width of the images that the networks take.

    Raises:
        TypeError: a hyperparameter is of another kind.
        ValueError: fewer than two configurations are allowed.

    Example::

        config_space = ConfigurationSpace({"depth": (1, 3), "act": ["relu", "gelu"]})
        swap.search.evolve(swap.compat.configspace.space(config_space, build), scorer)
    """
    return _ConfigSpace(config_space, build, steps, input_size)


class _ConfigSpace(DecisionSpace):
    def __init__(
        self,
        config_space: Any,
        build: Callable[[dict[str, Any]], nn.Module],
        steps: int,
        input_size: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.name = full_name(build)
        self.input_size = input_size
        self._build_of = build
        self._options = {
            name: Options(name, _values(config_space[name], steps))
            for name in _parents_first(config_space)
        }
        self._conditions = {
            name: list(config_space.parent_conditions_of[name]) for name in self._options
        }
        self._forbidden = list(config_space.forbidden_clauses)
        self.choices = tuple(f"{name}={o.texts}" for name, o in self._options.items())
        self.rules = tuple(
            map(str, [*self._forbidden, *(c for cs in self._conditions.values() for c in cs)])
        )
        self._check_several()

    @property
    def combinations(self) -> int:
        product = 1
        for options in self._options.values():
            product *= len(options)
        return product

    def walk(self, choose: Choose) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, options in self._options.items():
            if all(_is_met(condition, made) for condition in self._conditions[name]):
                made[name] = options.values[choose(name, options)]
        return made

    def accepts(self, made: Mapping[str, Any]) -> bool:
        return not any(clause.is_forbidden_value(dict(made)) for clause in self._forbidden)

    def _build(self, architecture: str) -> nn.Module:
        return self._build_of(self.parse(architecture))


def _is_met(condition: Any, made: Mapping[str, Any]) -> bool:
    """Whether a condition is met. One whose parent is not active is not."""
    if hasattr(condition, "components"):
        met = [_is_met(part, made) for part in condition.components]
        return any(met) if type(condition).__name__ == "OrConjunction" else all(met)
    return condition.parent.name in made and bool(condition.satisfied_by_value(dict(made)))


def _parents_first(config_space: Any) -> list[str]:
    ordered: list[str] = []

    def add(name: str) -> None:
        if name in ordered:
            return
        for parent in sorted(one.name for one in config_space.parents_of[name]):
            add(parent)
        ordered.append(name)

    for name in config_space:
        add(name)
    return ordered


def _values(hyperparameter: Any, steps: int) -> list[Any]:
    for attribute in ("choices", "sequence"):
        if hasattr(hyperparameter, attribute):
            return list(getattr(hyperparameter, attribute))
    if hasattr(hyperparameter, "lower"):
        low, high = hyperparameter.lower, hyperparameter.upper
        log = bool(getattr(hyperparameter, "log", False))
        if "Integer" in type(hyperparameter).__name__:
            return list(spread_integers(int(low), int(high), steps, log=log))
        return list(spread_floats(float(low), float(high), steps, log=log))
    if hasattr(hyperparameter, "value"):
        return [hyperparameter.value]
    raise TypeError(
        f"{hyperparameter.name} is a {type(hyperparameter).__name__}: expected a categorical, ordinal, constant, "
        "integer or float hyperparameter"
    )


__all__ = ["space"]
