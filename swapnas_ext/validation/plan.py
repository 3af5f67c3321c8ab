"""Finds how long networks can be trained within a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import nn

from swapnas_ext.validation.recipe import STATISTICS_BATCHES, DivergedError, batch_of, train
from swapnas_ext.validation.split import Split

FEWEST_STEPS = 20
"""After fewer, most networks do not yet tell the classes apart."""
_MOST_EPOCHS = 100
_RESERVE = 0.15
"""Part of the time that is not planned, since later steps may be slower than those that were timed."""
_PILOT_STEPS = 2
_LONG = 5.0
"""Seconds. What the first step takes besides, such as imports and memory, matters little then."""


@dataclass(frozen=True)
class Plan:
    """How long each network is trained.

    Attributes:
        steps: mini-batches that each network is trained with.
        batch: images in a mini-batch.
        epochs: how often each training image is seen, on average.
        seconds: how long all of it is expected to take.
    """

    networks: int
    steps: int
    batch: int
    epochs: float
    seconds: float


@dataclass(frozen=True)
class Pace:
    """How long a network takes, in seconds: for a step of training, and for its accuracy."""

    step: float
    accuracy: float


def pace_of(network: nn.Module, split: Split, *, flip: bool) -> Pace:
    """Times two steps of training after a first one, or the first alone if it is long, and a forward pass. Leaves the
    network changed."""
    start = _now(split)
    with suppress(DivergedError):  # the first steps of a longer training are gentler
        train(network, split, 1, 0, flip=flip)
    trained = _now(split)
    step = trained - start
    if step < _LONG:
        with suppress(DivergedError):
            train(network, split, _PILOT_STEPS, 0, flip=flip)
        step = (_now(split) - trained) / _PILOT_STEPS
        trained = _now(split)
    batch = batch_of(split)
    with torch.no_grad():
        network(split.normalized(split.train[:batch]))
    forward = _now(split) - trained
    passes = min(STATISTICS_BATCHES, len(split.train) // batch) + len(split.held_out) / batch
    return Pace(step, forward * passes)


def plan(paces: Sequence[Pace], split: Split, seconds: float) -> Plan:
    """The longest training that fits into ``seconds`` for all networks: whole epochs, at most 100, or a part of one.

    Raises:
        ValueError: fewer than 20 mini-batches fit.
    """
    batch = batch_of(split)
    fixed = sum(pace.accuracy for pace in paces)
    each = sum(pace.step for pace in paces)
    fitting = int(((1 - _RESERVE) * seconds - fixed) / each)
    if fitting < FEWEST_STEPS:
        needed = (FEWEST_STEPS * each + fixed) / (1 - _RESERVE) / 60
        raise ValueError(
            f"the time is enough for {max(0, fitting)} mini-batches of {batch} images for each of {len(paces)} "
            f"networks; {FEWEST_STEPS} are the least, and would take {needed:.2g} minutes: give fewer networks, more "
            "minutes, a smaller size of the images, or smaller networks"
        )
    per_epoch = len(split.train) // batch
    epochs = min(fitting // per_epoch, _MOST_EPOCHS)
    steps = epochs * per_epoch if epochs else fitting
    steps = max(steps, FEWEST_STEPS)
    return Plan(len(paces), steps, batch, steps * batch / len(split.train), steps * each + fixed)


def _now(split: Split) -> float:
    """The time when the device has done what it was given."""
    if split.train.is_cuda:
        torch.cuda.synchronize(split.train.device)
    return time.perf_counter()
