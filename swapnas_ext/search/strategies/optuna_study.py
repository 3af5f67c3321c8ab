"""Optuna's NSGA-II over score and size, as a strategy."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from swapnas_ext.search.strategies.base import Admit, Individual, Proposal
from swapnas_ext.spaces import SearchSpace

_TRIES = 1000  # in vain, each slower than the one before it, after which the space has no new ones


class OptunaStudy:
    """An Optuna study that maximises the score and minimises the number of parameters, with NSGA-II (Deb
    et al., 2002).

    Each choice that the space's ``sample`` makes is a parameter of a trial, so any space will do.
    Trials fail whose architecture is known, or too large.

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
        return Proposal(tuple(found)) if found else None

    def tell(self, proposal: Proposal, individuals: Sequence[Individual | None]) -> None:
        for architecture, individual in zip(proposal.architectures, individuals, strict=True):
            trial = self._trials.pop(architecture)
            if individual is None:
                self.study.tell(trial, state=self._failed)
            else:
                self.study.tell(trial, [individual.log_score, individual.parameters])


class _TrialRandom(random.Random):
    """Makes random choices a trial's parameters, named by their order and number of options."""

    def __init__(self, trial: Any) -> None:
        super().__init__()
        self._trial = trial
        self._choices = 0

    def random(self) -> float:
        self._choices += 1
        return self._trial.suggest_float(f"{self._choices}:share", 0.0, 1.0 - 2.0**-53)

    def _randbelow(self, options: int) -> int:
        """What ``choice``, ``randrange``, ``shuffle`` and ``sample`` draw with."""
        self._choices += 1
        return self._trial.suggest_categorical(f"{self._choices}:{options}", tuple(range(options)))

    def getrandbits(self, bits: int) -> int:
        return self._randbelow(1 << bits)
