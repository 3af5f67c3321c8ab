"""Trains networks of a run, and judges its scores by them."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from swapnas_ext._util import bar_in_notebook
from swapnas_ext.correlation import check_scipy
from swapnas_ext.data import LabelledImages, labelled_images
from swapnas_ext.measures import SIZES, titles_of
from swapnas_ext.models import own_random_state
from swapnas_ext.search import SearchResult, describe_space
from swapnas_ext.spaces import SearchSpace
from swapnas_ext.validation.choosing import FEWEST, Choice, choose
from swapnas_ext.validation.heads import with_classes
from swapnas_ext.validation.plan import FEWEST_STEPS, Pace, Plan, pace_of, plan
from swapnas_ext.validation.recipe import RECIPE, accuracy, train
from swapnas_ext.validation.record import Record, opened
from swapnas_ext.validation.result import Trained, Validation
from swapnas_ext.validation.split import FEWEST_OF_A_CLASS, Split, split

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a validation has come.

    Attributes:
        phase: what is being done.
        done, total: image files, networks, or mini-batches of all networks.
        plan: how long each network is trained; None before that is known.
        trained: the networks that are done.
    """

    phase: Literal["reading images", "timing", "training"]
    done: int
    total: int
    plan: Plan | None = None
    trained: Sequence[Trained] = ()


OnProgress = Callable[[Progress], None]


def validate(
    run: SearchResult,
    space: SearchSpace,
    images: str | Path,
    *,
    networks: int = 12,
    minutes: float = 20.0,
    size: int | None = None,
    flip: bool = True,
    seed: int = 0,
    device: str = "cpu",
    record: str | Path | None = None,
    again: bool = False,
    on_progress: OnProgress | None = None,
) -> Validation:
    """Trains networks of the best, middle and worst scores of a run on images, and tells how well the scores rank their
    accuracies on held-out images.

    All are trained with the same recipe, for as many mini-batches as should fit into the time. If they take longer, the
    validation ends after the network at which the time is over. Ctrl-C ends it at once. Both return the result so far,
    Ctrl-C only once a network is trained. Every network has its weights and its dropout from ``seed``;
    on a CPU, one seed, plan and number of threads give one result.

    Args:
        run: what a search found, ``SearchResult.of(run_file)``.
        space: the space of the run. Its final networks are trained: see `SearchSpace.final`.
        images: a folder with a subfolder of images for each class.
        networks: how many to train.
        minutes: how long all may take.
        size: width and height of the images, in pixels; by default what the networks take.
        flip: whether training images are mirrored at random; False for digits, letters, and left and right shoes.
        device: the device that trains.
        record: path of a JSON file that is written after each network; a call with the same settings continues it.
        again: starts the record over.
        on_progress: called with the `Progress` after every image, network that is timed, and mini-batch. None: in a
            notebook, a bar is shown.

    Raises:
        ValueError: settings or images that don't fit, a run without a ranking, or too little time.
        RuntimeError: no network can be trained, or the record can't be used.
        ImportError: SciPy is not installed.
    """
    start = time.perf_counter()
    check_scipy()
    if not minutes > 0:
        raise ValueError(f"minutes must be positive, got {minutes}")
    torch.empty(0, device=device)  # raises if there is no such device
    choices = choose(run, networks)
    final = space.final()
    channels, size = _shape(final, size)
    with bar_in_notebook("validating", on_progress, _told) as shown:
        tell = shown.on_progress or _nothing
        read = labelled_images(
            images,
            size,
            at_least=FEWEST_OF_A_CLASS,
            on_progress=lambda done, total: tell(Progress("reading images", done, total)),
        )
        trainer = _Trainer(final, read, split(read, channels), seed, device, flip)
        settings = {
            "architectures": [choice.ranked.architecture for choice in choices],
            "scores": [choice.ranked.log_score for choice in choices],
            "space": describe_space(final),
            "size": size,
            "images": read.digest,  # of that size
            "minutes": minutes,
            "flip": flip,
            "seed": seed,
            "device": torch.device(device).type,
            "recipe": RECIPE,
        }
        path = None if record is None else Path(record)
        with opened(path, settings, again=again) as kept:
            interrupted = False
            try:
                if kept.plan is None:
                    _make_plan(kept, trainer, choices, start, 60 * minutes, tell)
                _train_all(kept, trainer, choices, start, 60 * minutes, tell)
            except KeyboardInterrupt:
                if kept.plan is None or not any(one.accuracy is not None for one in kept.trained):
                    raise
                interrupted = True
            assert kept.plan is not None
            found = Validation(
                sorted(kept.trained, key=lambda one: one.place),
                len(choices),
                len({candidate.form for candidate in run.scored}),
                kept.plan,
                len(read.classes),
                len(trainer.split.train),
                len(trainer.split.held_out),
                read.found,
                size,
                str(describe_space(final)["name"]),
                _device_name(trainer.device),
                kept.seconds,
                interrupted,
                seed,
                _other_scores(choices),
            )
            shown.result = found.verdict
    return found


def _told(progress: Progress) -> tuple[int, int, str]:
    return progress.done, progress.total, progress.phase


def _nothing(progress: Progress) -> None:
    """Where nobody wants to know."""


class _Trainer:
    """Builds, trains and judges networks."""

    def __init__(
        self,
        space: SearchSpace,
        images: LabelledImages,
        parts: Split,
        seed: int,
        device: str,
        flip: bool,
    ) -> None:
        self.device = torch.empty(0, device=device).device  # with its number
        self.split = parts.to(self.device)
        self._space = space
        self._classes = len(images.classes)
        self._seed = seed
        self._flip = flip

    def pace(self, choice: Choice) -> Pace:
        with own_random_state(self.device) as reseed:
            reseed(self._seed)
            return pace_of(self._network(choice), self.split, flip=self._flip)

    def trained(self, choice: Choice, steps: int, on_step: Callable[[int], None]) -> Trained:
        start = time.perf_counter()
        parameters, percent, error = choice.ranked.parameters, None, None
        with own_random_state(self.device) as reseed:
            reseed(self._seed)
            try:
                network = self._network(choice)
                parameters = sum(one.numel() for one in network.parameters())
                train(network, self.split, steps, self._seed, flip=self._flip, on_step=on_step)
                percent = accuracy(network, self.split)
            except Exception as problem:  # the network's code may raise anything
                error = _error_text(problem)
        return _outcome(choice, parameters, percent, time.perf_counter() - start, error)

    def _network(self, choice: Choice) -> nn.Module:
        network = self._space.build(choice.ranked.architecture).to(self.device)
        return with_classes(network, self.split.normalized(self.split.train[:2]), self._classes)


def _make_plan(
    record: Record,
    trainer: _Trainer,
    choices: Sequence[Choice],
    start: float,
    budget: float,
    on_progress: OnProgress,
) -> None:
    """Times all networks. Those that fail are recorded."""
    paces = []
    failed = []
    for number, choice in enumerate(choices):
        on_progress(Progress("timing", number, len(choices)))
        begun = time.perf_counter()
        try:
            paces.append(trainer.pace(choice))
        except Exception as problem:  # the network's code may raise anything
            seconds = time.perf_counter() - begun
            error = _error_text(problem)
            failed.append(_outcome(choice, choice.ranked.parameters, None, seconds, error))
        left = budget - (time.perf_counter() - start)
        # Networks that are far too large are found out soon: at the latest after one of each group.
        if len(paces) == FEWEST or FEWEST_STEPS * sum(pace.step for pace in paces) > left:
            count = len(paces)
            mean = Pace(*(sum(parts) / count for parts in zip(*map(astuple, paces), strict=True)))
            plan([*paces, *[mean] * (len(choices) - number - 1)], trainer.split, left)
    if not paces:
        raise RuntimeError(
            f"none of the {len(choices)} networks can be trained on images of {trainer.split.train.shape[-1]} pixels; "
            f"try another size; the first: {failed[0].error}"
        )
    record.plan = plan(paces, trainer.split, budget - (time.perf_counter() - start))
    record.trained = failed
    _log.info("plan: %s", record.plan)
    record.seconds += time.perf_counter() - start
    record.save()


def _train_all(
    record: Record,
    trainer: _Trainer,
    choices: Sequence[Choice],
    start: float,
    budget: float,
    on_progress: OnProgress,
) -> None:
    """Trains the networks that are not recorded yet. After the time is over, it begins no other, unless there would be
    too few to tell a ranking."""
    assert record.plan is not None
    steps = record.plan.steps
    before, begun = record.seconds, time.perf_counter()
    done = {one.place for one in record.trained}
    total = len(choices) * steps

    def tell(step: int) -> None:
        finished = len(record.trained) * steps
        on_progress(Progress("training", finished + step, total, record.plan, record.trained))

    tell(0)
    for choice in choices:
        if choice.place not in done:
            over = time.perf_counter() - start > budget
            if over and sum(one.accuracy is not None for one in record.trained) >= FEWEST:
                break
            trained = trainer.trained(choice, steps, tell)
            record.trained.append(trained)
            _log.debug("trained %s", trained)
            record.seconds = before + time.perf_counter() - begun
            record.save()
            tell(0)


def _other_scores(choices: Sequence[Choice]) -> dict[str, dict[int, float]]:
    """The log-scores of measures that do not rank the run and are no sizes, by title and rank."""
    found = {choice.place: choice.ranked.candidate for choice in choices}
    names = dict.fromkeys(name for one in found.values() for name in one.by_measure)
    ranking = {one.score_of for one in found.values()}
    titles = titles_of(name for name in names if name not in (*ranking, *SIZES))
    return {
        title: {
            place: one.by_measure.get(name, {}).get("log_score", math.nan)
            for place, one in found.items()
        }
        for name, title in titles.items()
    }


def _outcome(
    choice: Choice, parameters: int, percent: float | None, seconds: float, error: str | None
) -> Trained:
    return Trained(
        choice.place,
        choice.group,
        choice.ranked.architecture,
        choice.ranked.score,
        choice.ranked.log_score,
        parameters,
        percent,
        seconds,
        error,
    )


def _shape(space: SearchSpace, size: int | None) -> tuple[int, int]:
    """Channels of the images that the networks take, and their size in pixels.

    Raises:
        ValueError: the networks take no images.
    """
    inputs = space.inputs(2)
    if not inputs.is_floating_point() or inputs.dim() != 4 or inputs.shape[1] not in (1, 3):
        raise ValueError(
            f"the networks of {type(space).__name__} take {str(inputs.dtype).removeprefix('torch.')} "
            f"{list(inputs.shape)}, not images [N, 3, height, width]: they can't be validated on images"
        )
    if size is not None and size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    return inputs.shape[1], inputs.shape[2] if size is None else size


def _error_text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} thread{'s' if threads > 1 else ''}"
