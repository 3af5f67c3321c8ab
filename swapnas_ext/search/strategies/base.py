"""The interface of a strategy: it proposes architectures, and is told their outcomes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from swapnas_ext._util import exp_or_inf
from swapnas_ext.spaces import SearchSpace

if TYPE_CHECKING:
    from swapnas_ext.search.settings import SearchSettings


@dataclass(frozen=True)
class Individual:
    """A scored architecture. ``log_score`` is the logarithm of its score, regularised if the search is. ``cost`` is its
    cost in the search's objective, lower is better; None without an objective."""

    number: int
    architecture: str
    log_score: float
    parameters: int
    cost: float | None = None

    @property
    def score(self) -> float:
        """The score, of which strategies see the logarithm; infinite if it is too large for a float."""
        return exp_or_inf(self.log_score)


@dataclass(frozen=True)
class Proposal:
    """Architectures to score together, and the numbers of the individuals that they are made from."""

    architectures: tuple[str, ...]
    parents: tuple[int, ...] = ()


Admit = Callable[[str], bool]
"""Returns whether an architecture may be proposed: its size is within the limit, and its form is new."""


def nothing_left(admit: Admit) -> bool:
    """Whether the search says that drawing on is in vain: `ask` should end then."""
    return bool(getattr(admit, "nothing_left", False))


class Strategy(Protocol):
    """Decides which architectures a search scores. `swapnas_ext.testing.check_strategy` checks one.

    All random choices come from the ``rng`` that the strategy is made with, so that one seed gives one result
    and a search can be resumed.
    """

    def ask(self, most: int, admit: Admit) -> Proposal | None:
        """Proposes the next architectures: at least one, at most ``most``. None ends the search, unless
        proposals are pending: then the strategy is asked again after their outcomes.

        Calls ``admit`` with each architecture first. Exactly those that it admits must be proposed."""

    def tell(self, proposal: Proposal, individuals: Sequence[Individual | None]) -> None:
        """Takes the outcomes of a proposal, in its order; None stands for an architecture without a score.
        Proposals are told in the order in which they were made. An individual's architecture differs from
        the proposed one if another of the same form was scored before."""


StrategyFactory = Callable[[SearchSpace, random.Random, "SearchSettings"], Strategy]
"""Makes a strategy, such as a class with these arguments. A family calls it once for each size."""
