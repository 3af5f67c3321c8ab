"""Scores architectures for a pilot, in several ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from swapnas_ext.scoring import Scorer
from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.evaluation import Evaluator
from swapnas_ext.search.pilot_choice import Setting
from swapnas_ext.spaces import SearchSpace

if TYPE_CHECKING:
    from swapnas_ext.scoring import ScoringOptions

_OTHER_WEIGHTS = 1_000_003  # far from the seeds of a reading's own repeats


@dataclass(frozen=True)
class Reader:
    """Scores architectures in several ways: the pilot's evaluator, which runs in the workers. A task is the text
    of a reading and an architecture: workers know only texts."""

    space: SearchSpace
    options: ScoringOptions
    source: str | Path | None
    device: str

    def __call__(self, tasks: Sequence[str]) -> list[Outcome]:
        return [self._outcome(*_parsed(task)) for task in tasks]

    def _outcome(self, setting: Setting, part: int, architecture: str) -> Outcome:
        known = self.__dict__.setdefault("_evaluators", {})
        if (setting, part) not in known:
            known.clear()  # inputs are large
            known[setting, part] = Evaluator(self.space, self._scorer(setting, part), self.device)
        (outcome,) = known[setting, part]([architecture])
        return outcome  # type: ignore[no-any-return]

    def _scorer(self, setting: Setting, part: int) -> Scorer:
        seed = self.options.get("seed", 0) + part * _OTHER_WEIGHTS
        options: ScoringOptions = {**self.options, "repeats": 1, "seed": seed, "tolerance": None}
        return Scorer(self._inputs(setting, part), **options)

    def _inputs(self, setting: Setting, part: int) -> Tensor:
        """The mini-batch of one of two readings. They share no image where there are enough."""
        try:
            both = self.space.inputs(2 * setting.samples, self.source, setting.size)
        except ValueError:
            return self.space.inputs(setting.samples, self.source, setting.size)
        return both[part::2].contiguous()


def task(setting: Setting, part: int, architecture: str) -> str:
    return f"{setting.samples} {setting.size} {part} {architecture}"


def _parsed(task: str) -> tuple[Setting, int, str]:
    samples, size, part, architecture = task.split(" ", 3)
    return Setting(int(samples), int(size)), int(part), architecture
