"""For deeplite-torch-zoo: a zero-cost score."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from swapnas_ext.compat.first_images import SAMPLES, first_images
from swapnas_ext.compat.peer import needed
from swapnas_ext.scoring import score


def swap_score(
    model: nn.Module,
    model_output_generator: Callable[[nn.Module], Iterable[Any]],
    loss_fn: Any = None,
    *,
    samples: int = SAMPLES,
    **options: Any,
) -> float:
    """The SWAP-Score of ``model`` on the first images that the generator yields.

    Args:
        samples: how many images are scored.
        options: options of `score`, such as ``measure``, ``init``, ``repeats`` and ``seed``.

    Raises:
        ValueError: the generator yields fewer images, or `score` raises it.
    """
    batches = model_output_generator(
        nn.Identity()
    )  # an identity yields the images without running the model
    return float(score(model, first_images(batches, samples), **options))


def register(name: str = "swap") -> None:
    """Adds the SWAP-Score to the zoo's zero-cost scores::

        register()
        get_zero_cost_estimator("swap")(model, dataloader=loader, init="gaussian")

    Raises:
        ImportError: deeplite-torch-zoo is not installed.
        KeyError: the zoo has a score of that name already.
    """
    registries = needed(
        "deeplite_torch_zoo.src.registries",
        "register needs deeplite-torch-zoo; install it from its repository: "
        "pip install git+https://github.com/Deeplite/deeplite-torch-zoo",
    )
    registries.ZERO_COST_SCORES.register(name)(swap_score)


__all__ = ["register", "swap_score"]
