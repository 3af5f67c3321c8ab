"""Chooses samples, repeats and input size without labels, from a few random architectures."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from swapnas_ext.search import pilot_choice
from swapnas_ext.search.pilot_choice import Pilot, Problem, Setting, Trial
from swapnas_ext.search.pilot_ladder import FEWEST, MOST, Ladder
from swapnas_ext.search.pilot_reader import Reader
from swapnas_ext.search.progress import Progress
from swapnas_ext.search.progress_in_notebook import shown_in_notebook
from swapnas_ext.search.workers import Crew, Workers, hire
from swapnas_ext.spaces import SearchSpace

if TYPE_CHECKING:
    from swapnas_ext.scoring import ScoringOptions

_log = logging.getLogger(__name__)

_SAMPLES = (16, 32, 64, 128)
_DRAWS = 50  # for each architecture, to find as many different ones
_SMALLEST = 32  # pixels; DARTS networks rank worse with less
_HALVINGS = 2


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
    example = space.inputs(1)
    own, unit = int(example.shape[-1]), "pixels" if example.is_floating_point() else "tokens"
    sizes = _sizes(space, source, own) if size is None and samples is None else (size or own,)
    counts = _SAMPLES if samples is None else (samples,)
    reader = Reader(space, options, source, device)
    crew = Crew(hire(reader, workers))  # type: ignore[arg-type]  # workers only call it
    with shown_in_notebook("pilot", on_progress) as shown:
        try:
            ladder = Ladder(
                reader, crew, architectures, repeats, start + seconds, shown.on_progress
            )
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
        found = Pilot(
            samples=chosen.samples,
            repeats=chosen.repeats,
            size=None if chosen.size == own else chosen.size,
            sentence=_sentence(chosen, trials, took, unit=unit, is_complete=is_complete),
            seconds=round(took, 1),
            trials=tuple(trials),
        )
        shown.result = found.sentence
    _log.info(
        "chose S = %d, R = %d and the size %s after %d settings",
        found.samples,
        found.repeats,
        found.size or own,
        len(trials),
    )
    return found


def _architectures(space: SearchSpace, rng: random.Random) -> list[str]:
    found: dict[str, str] = {}
    for _ in range(MOST * _DRAWS):
        architecture = space.sample(rng)
        found.setdefault(space.canonical(architecture), architecture)
        if len(found) == MOST:
            break
    if len(found) < FEWEST:
        raise ValueError(
            f"a pilot takes at least {FEWEST} different architectures, and {MOST * _DRAWS:,} random ones of the "
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
