"""Tries settings for a pilot, the cheapest first, within its time."""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Callable, Sequence

from swapnas_ext.search import pilot_choice
from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.pilot_choice import Problem, Setting, Trial
from swapnas_ext.search.pilot_reader import Reader, task
from swapnas_ext.search.progress import Progress, Stopwatch
from swapnas_ext.search.workers import Chunk, Crew

_log = logging.getLogger(__name__)

MOST, FEWEST = 24, 6
"""Architectures of a pilot."""
_NEARLY_SATURATED = 0.9  # a search finds higher scores than random architectures have


class Ladder:
    """Tries settings, from the one with the least work upwards, until no other can be cheaper than a good one, or the
    time is up.

    Args:
        repeats: R if it is given.
        end: when the time is up, as `time.monotonic` tells it.
    """

    def __init__(
        self,
        reader: Reader,
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
        self._stopwatch = Stopwatch()
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
            if not self._readings.get((setting, 0)) and not self._has_time(setting, FEWEST):
                return trials, False
            larger = (
                Setting(setting.samples, 2 * setting.size) if setting.size < sizes[-1] else None
            )
            self._take_fewer(setting, larger=larger is not None)
            trial = self._try(setting, larger)
            if trial is None:
                continue
            if trial.architectures < FEWEST:
                return trials, False
            trials.append(trial)
            _log.debug("tried %s", trial)
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
        fitting = int((self._end - time.monotonic()) / seconds) if seconds else MOST
        self._architectures = self._architectures[: max(FEWEST, fitting)]

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
            tasks = [task(setting, part, text) for text in wanted[len(known) : len(known) + block]]
            chunk = Chunk(tasks)
            self._crew.submit(chunk, 1)
            while not chunk.done:
                self._crew.collect()
            known += [outcome for outcome in chunk.outcomes if outcome is not None]
            self._done += len(tasks)
            self._stopwatch.note(self._done)
            if self._on_progress is not None:
                total = max(total, self._done)
                seconds, rate = self._stopwatch.seconds, self._stopwatch.rate
                self._on_progress(
                    Progress(self._done, total, self._done, None, 0, seconds=seconds, rate=rate)
                )
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
    return pairs if len(pairs) >= FEWEST else []
