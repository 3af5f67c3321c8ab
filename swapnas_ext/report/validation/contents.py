"""What the text and the JSON about a validation both say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from swapnas_ext._util import decimal

if TYPE_CHECKING:
    from swapnas_ext.validation import Plan, Validation

_FEW = 20
"""With fewer networks, intervals are wide."""
_FEW_EPOCHS = 5
_FEW_IMAGES = 200
"""With fewer held-out images, accuracies are uncertain."""


def plan_text(plan: Plan) -> str:
    """How long each network is trained, and how long all of it will take."""
    length = (
        f"{plan.epochs:.0f} epoch{'s' if plan.epochs >= 1.5 else ''}"
        if plan.epochs >= 0.95
        else f"{plan.steps} mini-batches of {plan.batch} images, which is less than an epoch"
    )
    return f"{plan.networks} networks x {length}, about {_minutes(plan.seconds)}"


def summary(found: Validation) -> str:
    """One line: what was trained, and on what."""
    total = found.train_images + found.held_out_images
    part = f" (of {found.found_images:,})" if found.found_images > total else ""
    return (
        f"{found.space}, {len(found.networks)} of {found.among:,} architectures: trained for {found.plan.steps:,} "
        f"mini-batches of {found.plan.batch} ({found.plan.epochs:.3g} epochs); {found.classes} classes, "
        f"{found.train_images:,} training and {found.held_out_images:,} held-out images{part} of {found.size} pixels"
    )


def verdict(found: Validation) -> str:
    """How well the score ranks, and whether its interval says so."""
    rho = found.rankings[0].rho
    count = len(found.trained)
    if math.isnan(rho.value):
        return f"no verdict on {count} networks: {found.rankings[0].note}"
    return (
        f"rho = {decimal(rho.value, 2)} [{decimal(rho.low, 2)}, {decimal(rho.high, 2)}], p = {found.p_value:.2g}, on "
        f"{count} networks: {found.verdict}"
    )


def cost(found: Validation) -> str:
    """One line: the time, and how many images a second were trained on."""
    return (
        f"cost: {_minutes(found.seconds)} in all, {found.images_per_second:,.0f} training images a second, "
        f"{found.device}"
    )


def remarks(found: Validation) -> list[str]:
    """What a reader should know before using the numbers."""
    lines = []
    if found.failed:
        lines.append(f"{len(found.failed)} could not be trained, and have no part in the numbers")
    if len(found.trained) < _FEW:
        more = "--networks" if found.chosen < found.among else "candidates in the run"
        advice = f": more {more} make them narrower" if found.complete else ""
        lines.append(f"intervals are wide with so few networks{advice}")
    if found.held_out_images < _FEW_IMAGES:
        points = 100 * math.sqrt(0.25 / found.held_out_images)
        lines.append(
            f"with {found.held_out_images} held-out images an accuracy is uncertain by up to {points:.0f} points (its "
            "standard error), which lowers rho: more images tell more"
        )
    if found.plan.epochs < _FEW_EPOCHS:
        lines.append(
            f"fewer than {_FEW_EPOCHS} epochs leave accuracies noisy: more --minutes, or a smaller --size, train longer"
        )
    if len(found.trained) < found.among:
        lines.append(
            "the best, the middle and the worst were chosen, which are easier to tell apart than random architectures: "
            "over the whole run, expect a lower rho"
        )
    return lines


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.1f} min"
