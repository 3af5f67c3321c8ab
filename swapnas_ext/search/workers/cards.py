"""Spreads workers over the GPUs of a machine."""

from __future__ import annotations

import math

import torch

from swapnas_ext.search.evaluation import Evaluator


def on_card(evaluator: Evaluator, place: int) -> Evaluator:
    """The evaluator of one of several workers of this machine. On ``"cuda"`` they take the GPUs in turn; a device with
    a number, such as ``"cuda:1"``, is for all.

    Args:
        evaluator: as the search has it.
        place: the number of the worker on this machine, from 0.
    """
    if evaluator.device != "cuda" or torch.cuda.device_count() < 2:
        return evaluator
    device = f"cuda:{place % torch.cuda.device_count()}"
    return evaluator.on(device)


def on_own_card(evaluator: Evaluator) -> Evaluator:
    """The evaluator of a worker that sees one GPU only, which a cluster gave it."""
    if not evaluator.device.startswith("cuda:"):
        return evaluator
    return evaluator.on("cuda")


def share_of_card(workers: int, cards: int) -> float:
    """The fraction of a GPU for each of several workers: 0.25 for 8 workers on 2 cards. Rounded down to the four
    digits that Ray keeps."""
    per_card = math.ceil(workers / cards)
    return math.floor(10_000 / per_card) / 10_000
