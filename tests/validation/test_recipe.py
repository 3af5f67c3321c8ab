"""Training, and the accuracy on held-out images."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.classes import write_classes
from torch import nn

from swapnas_ext.data import labelled_images
from swapnas_ext.validation.plan import Pace, plan
from swapnas_ext.validation.recipe import DivergedError, accuracy, batch_of, mini_batches, train
from swapnas_ext.validation.split import Split, split


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Split:
    folder = write_classes(tmp_path_factory.mktemp("images") / "colours", images=30)
    return split(labelled_images(folder, 8), 3)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8, momentum=0.003), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip


def test_held_out_images_are_learned(parts: Split) -> None:
    """Batch normalisation whose moving averages hardly move is judged by the statistics of the final weights."""
    model = network()
    assert accuracy(network(), parts) < 90
    train(model, parts, 30, 0, flip=True)
    assert accuracy(model, parts) == 100


def test_accuracies_are_of_images_that_were_not_trained_on(parts: Split) -> None:
    model = network()
    train(model, parts, 30, 0, flip=True)
    assert accuracy(model, replace(parts, held_out_labels=(parts.held_out_labels + 1) % 3)) == 0
    wrong = replace(parts, train_labels=(parts.train_labels + 1) % 3)
    model = network()
    train(model, wrong, 30, 0, flip=True)
    assert accuracy(model, parts) == 0


def test_the_same_mini_batches_for_all(parts: Split) -> None:
    first, second, other = (list(mini_batches(parts, 5, seed, flip=True)) for seed in (1, 1, 2))
    for (x, labels), (y, same) in zip(first, second, strict=True):
        assert torch.equal(x, y) and torch.equal(labels, same)
    assert not torch.equal(first[0][0], other[0][0])
    assert first[0][0].shape == (batch_of(parts), 3, 8, 8)


def test_an_epoch_has_each_image_once_at_most(parts: Split) -> None:
    numbered = parts.train.clone()
    numbered[:] = torch.arange(len(numbered), dtype=torch.uint8).view(-1, 1, 1, 1)
    unscaled = replace(
        parts, train=numbered, mean=torch.zeros(3, 1, 1), std=torch.full((3, 1, 1), 1 / 255)
    )
    for images, labels in mini_batches(unscaled, 4, 0, flip=True):
        numbers = images[:, 0, 4, 4].round().long()
        assert len(set(numbers.tolist())) == len(numbers) == 64
        assert torch.equal(parts.train_labels[numbers], labels)


def test_mirrored_only_where_asked(parts: Split) -> None:
    ramp = torch.arange(8, dtype=torch.uint8).expand_as(parts.train).contiguous()
    unscaled = replace(
        parts, train=ramp, mean=torch.zeros(3, 1, 1), std=torch.full((3, 1, 1), 1 / 255)
    )

    def falling(flip: bool) -> int:
        ((images, _),) = mini_batches(unscaled, 1, 0, flip=flip)
        return int((images[:, 0, 4, 2] > images[:, 0, 4, 5]).sum())

    assert falling(flip=False) == 0
    assert 16 < falling(flip=True) < 48


def test_a_network_that_diverges(parts: Split) -> None:
    model = network()
    with torch.no_grad():
        model[-1].weight.fill_(float("nan"))  # type: ignore[operator, union-attr]
    with pytest.raises(DivergedError, match="the loss is nan after 3 of 3 mini-batches"):
        train(model, parts, 3, 0, flip=True)
    with pytest.raises(DivergedError, match="logits"):
        accuracy(model, parts)


def test_plans(parts: Split) -> None:
    """72 training images are one mini-batch of 64 an epoch."""
    many = plan([Pace(1.0, 10.0), Pace(2.0, 10.0)], parts, 1000.0)
    assert many.steps == 100 and many.seconds == 320  # a hundred epochs are the most
    fewer = plan([Pace(1.0, 10.0), Pace(2.0, 10.0)], parts, 200.0)
    assert fewer.steps == int((0.85 * 200 - 20) / 3) == 50
    assert fewer.batch == 64 and fewer.epochs == pytest.approx(50 * 64 / 72)
    with pytest.raises(
        ValueError, match=r"enough for 10 mini-batches .* of 2 networks; 20 are the least"
    ):
        plan([Pace(1.0, 10.0), Pace(2.0, 10.0)], parts, 60.0)


def test_whole_epochs_where_they_fit(parts: Split) -> None:
    more = replace(
        parts, train=parts.train.repeat(9, 1, 1, 1), train_labels=parts.train_labels.repeat(9)
    )
    assert plan([Pace(1.0, 0.0)], more, 59.0).steps == 50  # five epochs of ten
    less = replace(
        parts, train=parts.train.repeat(90, 1, 1, 1), train_labels=parts.train_labels.repeat(90)
    )
    assert plan([Pace(1.0, 0.0)], less, 59.0).steps == 50
    assert plan([Pace(1.0, 0.0)], less, 59.0).epochs < 1
