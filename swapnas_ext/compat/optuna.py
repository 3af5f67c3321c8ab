"""For Optuna: an objective, and a define-by-run function as a search space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from swapnas_ext._util import full_name
from swapnas_ext.compat.spread import STEPS, spread_floats, spread_integers
from swapnas_ext.scoring import Scorer
from swapnas_ext.spaces import Choose, DecisionSpace, Options


def swap_objective(build: Callable[[Any], nn.Module], scorer: Scorer) -> Callable[[Any], float]:
    """An objective to maximise: the score of the model that ``build(trial)`` makes.

    The trial gets the number of parameters, the neurons and the saturation as user attributes. If a model can't be
    scored, since it has no activations or does not fit in memory, its trial is pruned, and the user attribute
    ``not_scored`` says why. Errors that ``build`` raises are left to Optuna.

    Example::

        study = optuna.create_study(direction="maximize")
        study.optimize(swap_objective(build, scorer), n_trials=100)
    """

    def objective(trial: Any) -> float:
        model = build(trial)
        try:
            score = scorer(model)
        except (ValueError, RuntimeError) as error:
            from optuna import TrialPruned

            trial.set_user_attr("not_scored", str(error))
            raise TrialPruned(str(error)) from error
        for name in ("parameters", "neurons", "saturation"):
            trial.set_user_attr(name, getattr(score, name))
        return float(score)

    return objective


def space(
    build: Callable[[Any], nn.Module],
    *,
    steps: int = STEPS,
    input_size: tuple[int, int, int] = (3, 32, 32),
) -> DecisionSpace:
    """The search space of a define-by-run function: what it suggests may depend on what it got before.

    Architectures are strings such as ``layers=2,width0=16,width1=32``: the suggestions, in their order. They are found
    by running ``build`` on the meta device, so what it suggests must depend on the trial alone. Such a space can't be
    listed.

    Args:
        build: makes the network of a trial, with ``trial.suggest_categorical``, ``suggest_int`` and ``suggest_float``.
        steps: so many values stand for a range of floats without a step, evenly spread (in their logarithms with
            ``log=True``), and for a range of more than 100 integers.
        input_size: channels, height and width of the images that the networks take.

    Raises:
        ValueError: ``build`` suggests nothing, or makes a single architecture.

    Example::

        swap.search.evolve(swap.compat.optuna.space(build), scorer)
    """
    return _DefineByRun(build, steps, input_size)


class _DefineByRun(DecisionSpace):
    def __init__(
        self, build: Callable[[Any], nn.Module], steps: int, input_size: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.name = full_name(build)
        self.input_size = input_size
        self.steps = steps
        self._build_of = build
        self._check_several()

    def walk(self, choose: Choose) -> dict[str, Any]:
        trial = RecordingTrial(choose, self.steps)
        try:
            with torch.random.fork_rng(devices=[]), torch.device("meta"):
                self._build_of(trial)
        except Exception:  # scoring tells what fails, or the suggestions end here
            if trial.error is not None:
                raise trial.error from None
            if not trial.params:
                raise
        if not trial.params:
            raise ValueError(f"{self.name} suggests nothing: there is nothing to search")
        return trial.params

    def _build(self, architecture: str) -> nn.Module:
        made = self.parse(architecture)

        def choose(name: str, options: Options) -> int:
            return options.index_of(name, made[name])

        return self._build_of(RecordingTrial(choose, self.steps))


class RecordingTrial:
    """Stands for a trial: its suggestions are decisions of a search space."""

    number = 0

    def __init__(self, choose: Choose, steps: int) -> None:
        self.params: dict[str, Any] = {}
        self.user_attrs: dict[str, Any] = {}
        self.error: Exception | None = None
        self._choose = choose
        self._steps = steps

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._suggest(name, list(choices))

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        values = spread_integers(low, high, self._steps, step=step, log=log)
        return int(self._suggest(name, values))

    def suggest_float(
        self,
        name: str,
        low: float,
        high: float,
        *,
        step: float | None = None,
        log: bool = False,
    ) -> float:
        count = self._steps if step is None else int((high - low) / step + 1e-9) + 1
        last = high if step is None else low + (count - 1) * step
        return float(self._suggest(name, spread_floats(low, last, count, log=log)))

    def set_user_attr(self, key: str, value: Any) -> None:
        self.user_attrs[key] = value

    def _suggest(self, name: str, values: list[Any]) -> Any:
        if name not in self.params:
            try:
                options = Options(name, values)
                self.params[name] = options.values[self._choose(name, options)]
            except Exception as error:  # distinguished from errors of the function
                self.error = error
                raise
        return self.params[name]


__all__ = ["space", "swap_objective"]
