"""Optuna's NSGA-II over score and size, or another cost, as a strategy."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from swapnas_ext.search.strategies.base import Admit, Individual, Proposal, nothing_left
from swapnas_ext.spaces import SearchSpace

_TRIES = 1000  # in vain in a row, before the search ends. Each is slower than the one before it


class OptunaStudy:
    """An Optuna study that maximises the score and minimises the cost of the search's objective, or the number of
    parameters without one, with NSGA-II (Deb et al., 2002).

    Each random choice of the space's ``sample`` is a parameter of a trial, so any space works. The trial of a known
    or too large architecture fails.

    Raises:
        ImportError: Optuna is not installed.
    """

    def __init__(
        self, space: SearchSpace, rng: random.Random, *, population: int, chunk: int
    ) -> None:
        try:
            import optuna
        except ImportError as error:
            raise ImportError(
                "Optuna is not installed; run: pip install 'swapnas-ext[optuna]'"
            ) from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.NSGAIISampler(
            population_size=population, seed=rng.randrange(2**31)
        )
        self.study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        self._failed = optuna.trial.TrialState.FAIL
        self._space = space
        self._chunk = chunk
        self._trials: dict[str, Any] = {}  # by architecture
        self._in_vain = 0

    def ask(self, most: int, admit: Admit) -> Proposal | None:
        found: list[str] = []
        while len(found) < min(most, self._chunk) and self._in_vain < _TRIES:
            trial = self.study.ask()
            architecture = self._space.sample(_TrialRandom(trial))
            if admit(architecture):
                self._trials[architecture] = trial
                found.append(architecture)
                self._in_vain = 0
            else:
                self.study.tell(trial, state=self._failed)
                self._in_vain += 1
                if nothing_left(admit):
                    break
        return Proposal(tuple(found)) if found else None

    def tell(self, proposal: Proposal, individuals: Sequence[Individual | None]) -> None:
        for architecture, individual in zip(proposal.architectures, individuals, strict=True):
            trial = self._trials.pop(architecture)
            if individual is None:
                self.study.tell(trial, state=self._failed)
            else:
                cost = individual.parameters if individual.cost is None else individual.cost
                self.study.tell(trial, [individual.log_score, cost])


class _TrialRandom(random.Random):
    """Asks a trial for random choices. Their parameters are named by order and number of options."""

    def __init__(self, trial: Any) -> None:
        super().__init__()
        self._trial = trial
        self._choices = 0

    def random(self) -> float:
        self._choices += 1
        drawn: float = self._trial.suggest_float(f"{self._choices}:share", 0.0, 1.0 - 2.0**-53)
        return drawn

    def _randbelow(self, options: int) -> int:
        """Draws for ``choice``, ``randrange``, ``shuffle`` and ``sample``."""
        self._choices += 1
        name = f"{self._choices}:{options}"
        drawn: int = self._trial.suggest_categorical(name, tuple(range(options)))
        return drawn

    def getrandbits(self, bits: int) -> int:
        return self._randbelow(1 << bits)
