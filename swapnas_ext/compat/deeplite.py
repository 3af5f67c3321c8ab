"""deeplite-torch-zoo: a zero-cost score."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from swapnas_ext.compat.first_images import SAMPLES, first_images
from swapnas_ext.scoring import score


def swap_score(
    model: nn.Module,
    model_output_generator: Callable[[nn.Module], Iterable[Any]],
    loss_fn: Any = None,
    *,
    samples: int = SAMPLES,
    **options: Any,
) -> float:
    """The SWAP-Score of ``model`` on the first images of what the generator yields.

    Args:
        samples: how many images are scored.
        options: of `score`, such as ``measure``, ``init``, ``repeats`` and ``seed``.

    Raises:
        ValueError: the generator yields fewer images, and as `score`.
    """
    batches = model_output_generator(nn.Identity())  # the images, without a pass through the model
    return float(score(model, first_images(batches, samples), **options))


def register(name: str = "swap") -> None:
    """Makes the SWAP-Score one of the zoo's::

        register()
        get_zero_cost_estimator("swap")(model, dataloader=loader, init="gaussian")

    Raises:
        ImportError: deeplite-torch-zoo is not installed.
        KeyError: it has a score of that name already.
    """
    try:
        from deeplite_torch_zoo.src.registries import ZERO_COST_SCORES
    except ImportError as error:
        raise ImportError(
            "register needs deeplite-torch-zoo; install it from its repository: "
            "pip install git+https://github.com/Deeplite/deeplite-torch-zoo"
        ) from error
    ZERO_COST_SCORES.register(name)(swap_score)
