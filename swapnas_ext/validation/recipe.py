"""The recipe that all networks are trained with, and their accuracy on held-out images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swapnas_ext.validation.heads import logits_of
from swapnas_ext.validation.split import Split

RECIPE = {
    "version": 1,
    "batch": 64,
    "learning_rate": 0.05,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "warm_up": 0.1,
    "largest_gradient": 5.0,
}
"""What accuracies depend on, besides images, steps and seed. A change needs another version."""

STATISTICS_BATCHES = 16
"""Mini-batches that the statistics of batch normalisation are estimated from after training."""
_CHECKED_EVERY = 10
"""Steps. Each check waits for the device."""


class DivergedError(RuntimeError):
    """The loss of a network became NaN or infinite."""


def batch_of(split: Split) -> int:
    """Images in a mini-batch: 64, or fewer where there are not so many."""
    return min(int(RECIPE["batch"]), len(split.train))


def mini_batches(
    split: Split, steps: int, seed: int, *, flip: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Normalised mini-batches and their labels. One seed gives the same images in the same order, cropped and flipped
    in the same way.

    Each epoch draws a new order; images that do not fill a mini-batch are left out of it.
    """
    generator = torch.Generator().manual_seed(seed)
    size = batch_of(split)
    order = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(order) < size:
            order = torch.randperm(len(split.train), generator=generator)
        rows, order = order[:size], order[size:]
        rows = rows.to(split.train.device)
        yield (
            _augmented(split.normalized(split.train[rows]), generator, flip=flip),
            split.train_labels[rows],
        )


def _augmented(images: Tensor, generator: torch.Generator, *, flip: bool) -> Tensor:
    """Moves each image by up to an eighth of its size, and mirrors half of them. What moves in has the mean colour."""
    count, _, height, width = images.shape
    margin = width // 8
    corners = torch.randint(2 * margin + 1, (count, 2), generator=generator).tolist()
    mirrored = (torch.rand(count, generator=generator) < 0.5).to(images.device)
    padded = F.pad(images, [margin] * 4)
    moved = torch.stack(
        [
            image[:, y : y + height, x : x + width]
            for image, (y, x) in zip(padded, corners, strict=True)
        ]
    )
    return torch.where(mirrored.view(-1, 1, 1, 1), moved.flip(3), moved) if flip else moved


def train(
    network: nn.Module,
    split: Split,
    steps: int,
    seed: int,
    *,
    flip: bool,
    on_step: Callable[[int], None] = lambda done: None,
) -> None:
    """Trains a network for ``steps`` mini-batches: SGD with Nesterov momentum, weight decay and clipped gradients. The
    learning rate rises over the first tenth of the steps, and falls along a cosine.

    Raises:
        DivergedError: the loss is NaN or infinite.
    """
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=RECIPE["learning_rate"],
        momentum=RECIPE["momentum"],
        weight_decay=RECIPE["weight_decay"],
        nesterov=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    network.train()
    for step, (images, labels) in enumerate(mini_batches(split, steps, seed, flip=flip), start=1):
        optimizer.zero_grad()
        loss = F.cross_entropy(logits_of(network(images)), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), RECIPE["largest_gradient"])
        optimizer.step()
        schedule.step()
        if (step % _CHECKED_EVERY == 0 or step == steps) and not math.isfinite(loss.item()):
            raise DivergedError(f"the loss is {loss.item()} after {step} of {steps} mini-batches")
        on_step(step)


def _rate(step: int, steps: int) -> float:
    """The learning rate of a step, relative to the highest."""
    warm_up = math.ceil(RECIPE["warm_up"] * steps)
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up + 1)))


def accuracy(network: nn.Module, split: Split) -> float:
    """Percent of the held-out images that the network classifies correctly.

    The statistics of batch normalisation are first estimated anew from training images: in a short training their
    moving averages are still far from those of the final weights.

    Raises:
        DivergedError: logits are NaN or infinite.
    """
    size = batch_of(split)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(split.train), generator=generator).to(split.train.device)
    rows = [part for part in torch.split(order, size)[:STATISTICS_BATCHES] if len(part) == size]
    torch.optim.swa_utils.update_bn((split.normalized(split.train[part]) for part in rows), network)
    network.eval()
    correct = torch.zeros((), dtype=torch.long, device=split.held_out.device)
    with torch.no_grad():
        held_out = torch.split(split.held_out, size), torch.split(split.held_out_labels, size)
        for images, labels in zip(*held_out, strict=True):
            logits = logits_of(network(split.normalized(images)))
            if not logits.isfinite().all():
                raise DivergedError("the logits of the trained network are NaN or infinite")
            correct += (logits.argmax(1) == labels).sum()
    return 100 * correct.item() / len(split.held_out)
