"""Chooses samples, repeats and input size without labels, from a few random architectures."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from swapnas_ext.scoring import Scorer
from swapnas_ext.search import pilot_choice
from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.evaluation import Evaluator
from swapnas_ext.search.pilot_choice import Pilot, Problem, Setting, Trial
from swapnas_ext.search.progress import Progress
from swapnas_ext.search.workers import Chunk, Crew, Workers, hire
from swapnas_ext.spaces import SearchSpace

if TYPE_CHECKING:
    from swapnas_ext.scoring import ScoringOptions

_SAMPLES = (16, 32, 64, 128)
_MOST, _FEWEST = 24, 6  # architectures
_DRAWS = 50  # for each architecture, to find as many different ones
_SMALLEST = 32  # pixels; DARTS networks rank worse with less
_HALVINGS = 2
_NEARLY_SATURATED = 0.9  # a search finds higher scores than random architectures have
_OTHER_WEIGHTS = 1_000_003  # far from the seeds of a reading's own repeats


def pilot(
    space: SearchSpace,
    options: ScoringOptions,
    *,
    samples: int | None = None,
    size: int | None = None,
    repeats: int | None = None,
    source: str | Path | None = None,
    workers: Workers = None,
    device: str = "cpu",
    seconds: float = 25.0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Pilot:
    """Chooses S, R and the size of images for a space and a measure. It scores 6 to 24 random architectures, with
    other weights and other images each time, and needs no accuracies.

    A setting is good if at most one of 20 architectures is saturated, or nearly (at 90 % of the highest possible); if
    two independent readings agree, with enough repeats, to a Spearman's rho of 0.95; and, with images smaller than the
    space's own, if images twice as large rank the same weights alike (0.98). The cheapest good one is chosen, by
    measured times, and the best of them if none is good. Architectures and weights depend on the seed only; which
    setting is the cheapest, and how many are tried within ``seconds``, also depend on the machine.

    Args:
        options: those of the scorer, such as ``{"measure": "capacity", "init": "keep"}``, with the seed. Of several
            measures, it is about the first.
        samples, size, repeats: a number stays as it is; None is chosen. Size is sides in pixels. Where the space's
            inputs are no images, or of one size only, ``size`` stays the space's own.
        source: as for `SearchSpace.inputs`; the workers read it.
        workers, device, on_progress: as for `search`.
        seconds: no reading begins that would end later. What was read until then decides.

    Raises:
        ValueError: the space has too few architectures, or the source too few images.
        RuntimeError: none of the architectures could be scored.
    """
    start = time.monotonic()
    architectures = _architectures(space, random.Random(options.get("seed", 0)))
    torch.empty(0, device=device)  # raises if there is no such device
    example = space.inputs(1)
    own, unit = int(example.shape[-1]), "pixels" if example.is_floating_point() else "tokens"
    sizes = _sizes(space, source, own) if size is None and samples is None else (size or own,)
    counts = _SAMPLES if samples is None else (samples,)
    reader = _Reader(space, options, source, device)
    crew = Crew(hire(reader, workers))  # type: ignore[arg-type]  # workers only call it
    try:
        ladder = _Ladder(reader, crew, architectures, repeats, start + seconds, on_progress)
        trials, is_complete = ladder.climb(counts, sizes)
    finally:
        crew.close()
    took = time.monotonic() - start
    chosen = pilot_choice.best(trials) if trials else None
    if chosen is None:
        chosen = pilot_choice.untried(Setting(counts[0], sizes[-1]), repeats)
    elif not chosen.is_good and (chosen.size < sizes[-1] or chosen.is_saturated):
        is_open = (
            chosen.is_saturated
            and len(counts) > 1
            and not (is_complete and chosen.size == sizes[-1])
        )
        samples = ladder.unsaturated_samples(chosen) if is_open else chosen.samples
        if Setting(samples, sizes[-1]) != Setting(chosen.samples, chosen.size):
            chosen = pilot_choice.untried(Setting(samples, sizes[-1]), repeats)
    return Pilot(
        samples=chosen.samples,
        repeats=chosen.repeats,
        size=None if chosen.size == own else chosen.size,
        sentence=_sentence(chosen, trials, took, unit=unit, is_complete=is_complete),
        seconds=round(took, 1),
        trials=tuple(trials),
    )


def _architectures(space: SearchSpace, rng: random.Random) -> list[str]:
    found: dict[str, str] = {}
    for _ in range(_MOST * _DRAWS):
        architecture = space.sample(rng)
        found.setdefault(space.canonical(architecture), architecture)
        if len(found) == _MOST:
            break
    if len(found) < _FEWEST:
        raise ValueError(
            f"a pilot takes at least {_FEWEST} different architectures, and {_MOST * _DRAWS:,} random ones of the "
            f"space were only {len(found)}: give numbers of samples and repeats instead of auto"
        )
    return list(found.values())


def _sizes(space: SearchSpace, source: str | Path | None, own: int) -> tuple[int, ...]:
    """The sizes to try, the space's own last."""
    if not space.inputs(1).is_floating_point():
        return (own,)
    sizes = [own]
    for _ in range(_HALVINGS):
        smaller = sizes[0] // 2
        if smaller < _SMALLEST:
            break
        try:
            space.inputs(1, source, smaller)
        except ValueError:  # its networks take images of one size
            break
        sizes.insert(0, smaller)
    return tuple(sizes)


@dataclass(frozen=True)
class _Reader:
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


def _task(setting: Setting, part: int, architecture: str) -> str:
    return f"{setting.samples} {setting.size} {part} {architecture}"


def _parsed(task: str) -> tuple[Setting, int, str]:
    samples, size, part, architecture = task.split(" ", 3)
    return Setting(int(samples), int(size)), int(part), architecture


class _Ladder:
    """Tries settings, from the one with the least work upwards, until no other can be cheaper than a good one, or the
    time is up.

    Args:
        repeats: R if it is given.
        end: when the time is up, as `time.monotonic` tells it.
    """

    def __init__(
        self,
        reader: _Reader,
        crew: Crew,
        architectures: Sequence[str],
        repeats: int | None,
        end: float,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._reader = reader
        self._crew = crew
        self._architectures = architectures
        self._repeats = repeats
        self._end = end
        self._on_progress = on_progress
        self._readings: dict[tuple[Setting, int], list[Outcome]] = {}
        self._done = 0
        self._error: str | None = None

    def climb(self, counts: Sequence[int], sizes: Sequence[int]) -> tuple[list[Trial], bool]:
        """Returns what was tried, and whether that is all that was worth trying.

        Raises:
            ValueError: the source has fewer images than the smallest number of samples.
            RuntimeError: no architecture could be scored.
        """
        waiting = [Setting(samples, size) for samples in counts for size in sizes]
        trials: list[Trial] = []
        self._read(min(waiting, key=_order), 0, most=math.ceil(self._workers))  # for its time
        while waiting:
            setting = min(waiting, key=_order)
            waiting.remove(setting)
            if any(
                trial.is_good and trial.repeats * _work(trial) <= setting.work for trial in trials
            ):
                continue
            if not self._has_inputs(setting, optional=bool(trials)):
                continue
            if not self._readings.get((setting, 0)) and not self._has_time(setting, _FEWEST):
                return trials, False
            larger = (
                Setting(setting.samples, 2 * setting.size) if setting.size < sizes[-1] else None
            )
            self._take_fewer(setting, larger=larger is not None)
            trial = self._try(setting, larger)
            if trial is None:
                continue
            if trial.architectures < _FEWEST:
                return trials, False
            trials.append(trial)
            if trial.problem is Problem.OTHER_ORDER:
                waiting = [other for other in waiting if other.size > setting.size]
            elif trial.problem is Problem.SATURATED:
                fewer = self._fewer_samples(setting)
                waiting = [other for other in waiting if not _is_worse(other, setting, fewer)]
                if fewer is not None and len(counts) > 1:
                    middle = Setting(fewer, setting.size)
                    known = [Setting(other.samples, other.size) for other in trials]
                    if middle not in (*known, *waiting):
                        waiting.append(middle)
        if not trials:
            raise RuntimeError(
                f"none of {len(self._architectures)} architectures could be scored: {self._error}"
            )
        return trials, True

    def _take_fewer(self, setting: Setting, *, larger: bool) -> None:
        """Takes only as many architectures as there is time for: in two readings, and one on images twice as large."""
        seconds = (2 + 4 * larger) * self._seconds(setting) / self._workers
        fitting = int((self._end - time.monotonic()) / seconds) if seconds else _MOST
        self._architectures = self._architectures[: max(_FEWEST, fitting)]

    @property
    def _workers(self) -> float:
        return self._crew.capacity / 2 if self._crew.capacity > 1 else 1

    def _has_time(self, setting: Setting, architectures: int) -> bool:
        """Whether there is time to read so many architectures."""
        seconds = self._seconds(setting) * architectures / self._workers
        return time.monotonic() + seconds <= self._end

    def _has_inputs(self, setting: Setting, *, optional: bool) -> bool:
        try:
            self._reader.space.inputs(setting.samples, self._reader.source, setting.size)
        except ValueError:
            if not optional:
                raise
            return False
        return True

    def _try(self, setting: Setting, larger: Setting | None) -> Trial | None:
        """None if no architecture could be scored."""
        first = self._read(setting, 0)
        scored = [outcome for outcome in first if outcome.score is not None]
        if not scored:
            self._error = self._error or first[0].error
            return None
        saturated = [_is_saturated(outcome) for outcome in scored]
        pairs: list[tuple[float, float]] = []
        kept, needs_kept = None, False
        if not pilot_choice.is_saturated(sum(saturated), len(saturated)):
            pairs = _pairs(first, self._read(setting, 1))
            if larger is not None:
                on_larger = self._read(larger, 0)
                crowded = sum(map(_is_saturated, on_larger))
                # A saturated order is none to keep.
                needs_kept = not pilot_choice.is_saturated(crowded, len(on_larger))
                kept = pilot_choice.spearman(_pairs(first, on_larger)) if needs_kept else None
        return pilot_choice.judged(
            setting,
            self._seconds(setting),
            saturated,
            pairs,
            kept=kept,
            needs_kept=needs_kept,
            repeats=self._repeats,
        )

    def _fewer_samples(self, setting: Setting) -> int | None:
        """How many samples make about as many patterns possible as there are neurons, if most saturated networks have
        a pattern for nearly each neuron; otherwise None."""
        saturated = [o for o in self._readings[setting, 0] if _is_saturated(o) and o.neurons]
        own = [
            o.patterns is not None and o.patterns >= _NEARLY_SATURATED * (o.neurons or 0)
            for o in saturated
        ]
        if 2 * sum(own) <= len(own):
            return None
        neurons = statistics.median(outcome.neurons or 2 for outcome in saturated)
        return min(max(1, round(math.log2(neurons))), setting.samples - 1)

    def unsaturated_samples(self, trial: Trial) -> int:
        """How many samples should not be saturated where ``trial`` is; as many where more can't be had."""
        setting = Setting(trial.samples, trial.size)
        if self._fewer_samples(setting) is not None:
            return trial.samples
        neurons = [outcome.neurons or 2 for outcome in self._readings[setting, 0]]
        samples = pilot_choice.unsaturated_samples(trial, statistics.median(neurons))
        more = Setting(samples, trial.size)
        return samples if self._has_inputs(more, optional=True) else trial.samples

    def _read(self, setting: Setting, part: int, most: int | None = None) -> list[Outcome]:
        """A reading, of as many architectures as there is time for."""
        known = self._readings.setdefault((setting, part), [])
        wanted = self._architectures[:most]
        total = self._done + len(wanted) - len(known)
        block = self._crew.capacity
        while len(known) < len(wanted):
            if self._done and not self._has_time(setting, block):
                break
            tasks = [_task(setting, part, text) for text in wanted[len(known) : len(known) + block]]
            chunk = Chunk(tasks)
            self._crew.submit(chunk, 1)
            while not chunk.done:
                self._crew.collect()
            known += [outcome for outcome in chunk.outcomes if outcome is not None]
            self._done += len(tasks)
            if self._on_progress is not None:
                self._on_progress(Progress(self._done, max(total, self._done), self._done, None, 0))
        return known

    def _seconds(self, setting: Setting) -> float:
        """The median time of an architecture, estimated from that of the next smaller setting if there is none."""
        known: dict[Setting, list[float]] = {}
        for (other, _), outcomes in self._readings.items():
            known.setdefault(other, []).extend(outcome.seconds for outcome in outcomes)
        measured = {other: seconds for other, seconds in known.items() if seconds}
        nearest = max(
            (other for other in measured if other.work <= setting.work), key=_order, default=None
        ) or min(measured, key=_order)
        return statistics.median(measured[nearest]) * setting.work / nearest.work


def _order(setting: Setting) -> tuple[int, int]:
    return setting.work, setting.samples


def _work(trial: Trial) -> int:
    return Setting(trial.samples, trial.size).work


def _is_worse(other: Setting, saturated: Setting, fewer: int | None) -> bool:
    """Whether another setting must be saturated too."""
    if fewer is None:  # all patterns that are possible occur, and do among more neurons
        return other.samples <= saturated.samples and other.size >= saturated.size
    return other.samples >= saturated.samples and other.size <= saturated.size


def _is_saturated(outcome: Outcome) -> bool:
    """Whether a score is saturated, or nearly. Where patterns are only a part of the score, they tell nothing of it."""
    if outcome.is_saturated:
        return True
    of_score = outcome.patterns is not None and outcome.patterns == outcome.score
    return of_score and (outcome.saturation or 0) >= _NEARLY_SATURATED


def _pairs(first: Sequence[Outcome], second: Sequence[Outcome]) -> list[tuple[float, float]]:
    """The log-scores of the architectures with a score in both readings; none if they are too few."""
    pairs = [
        (one.log_score, other.log_score)
        for one, other in zip(first, second, strict=False)
        if one.log_score is not None and other.log_score is not None
    ]
    return pairs if len(pairs) >= _FEWEST else []


def _sentence(
    chosen: Trial, trials: Sequence[Trial], seconds: float, *, unit: str, is_complete: bool
) -> str:
    """What was chosen, and why."""
    size = f"{chosen.size} x {chosen.size}" if unit == "pixels" else f"{chosen.size} {unit}"
    tried = f"{chosen.architectures} architectures, " if chosen.architectures else ""
    text = f"pilot ({tried}{seconds:.0f} s): S = {chosen.samples}, R = {chosen.repeats}, {size}: "
    reasons = []
    if not chosen.architectures:
        reasons.append("not tried")
    elif chosen.agreement is None:
        reasons.append("no two readings were compared")
    else:
        reasons.append(f"agreement between two readings {chosen.agreement:.2f}")
        if chosen.repeats > 1:
            reasons[0] += f", of {chosen.repeats} repeats {chosen.reached:.2f}"
    if not chosen.is_good and chosen.architectures:
        reasons.append(f"no setting was shown to be good, this one is {_told(chosen)}")
    reasons += [
        f"at S = {trial.samples}, {trial.size}{' px' if unit == 'pixels' else ''}, {_told(trial)}"
        for trial in trials
        if trial is not chosen and not trial.is_good
    ]
    if not is_complete:
        reasons.append("the time was up before others were tried")
    return text + "; ".join(reasons)


def _told(trial: Trial) -> str:
    if trial.problem is Problem.SATURATED:
        return f"{trial.saturated} of {trial.architectures} are saturated"
    if trial.problem is Problem.OTHER_ORDER:
        return f"{trial.problem.value} (agreement {trial.kept:.2f})"
    if trial.problem is Problem.NOT_REPEATABLE:
        return f"{trial.problem.value} (agreement with R = {trial.repeats}: {trial.reached:.2f})"
    return str(trial.problem.value)
