"""Mini-batches of every kind."""

from __future__ import annotations

from collections import UserDict, namedtuple

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import swapnas_ext as swap
from swapnas_ext.inputs import MiniBatch

IMAGES = torch.randn(20, 3, 8, 8, generator=torch.Generator().manual_seed(0))
CPU = torch.device("cpu")


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())


def test_data_loaders() -> None:
    expected = swap.score(net(), IMAGES[:16])
    for loader in (
        DataLoader(TensorDataset(IMAGES, torch.arange(20)), batch_size=16),
        DataLoader(IMAGES, batch_size=16),
    ):
        assert swap.score(net(), loader) == expected
    larger = DataLoader(TensorDataset(IMAGES, torch.arange(20)), batch_size=20)
    assert swap.score(net(), larger, samples=16) == expected
    with pytest.raises(ValueError, match="20 samples, 32 are wanted"):
        swap.score(net(), larger, samples=32)


def test_mappings_that_are_no_dict() -> None:
    """As Hugging Face's BatchEncoding."""

    class Encoded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.words = nn.Embedding(50, 16)
            self.act = nn.ReLU()

        def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
            return self.act(self.words(input_ids))

    class BatchEncoding(UserDict):  # type: ignore[type-arg]
        pass

    tokens = torch.randint(50, (8, 5))
    score = swap.score(Encoded(), BatchEncoding(input_ids=tokens, attention_mask=None))
    assert score.samples == 8
    assert score == swap.score(Encoded(), tokens)


def test_nested_inputs_are_moved_whole() -> None:
    Pair = namedtuple("Pair", "a b")
    batch = MiniBatch((Pair(IMAGES, [IMAGES]), {"c": IMAGES, "d": "text"}), channels_last=True)
    (pair, mapping), kwargs = batch.on(CPU)
    assert isinstance(pair, Pair)
    assert kwargs == {}
    assert mapping["d"] == "text"
    for tensor in (pair.a, pair.b[0], mapping["c"]):
        assert tensor.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(tensor, IMAGES)
    assert batch.samples == 20


def test_samples_are_those_of_the_first_tensor_with_rows() -> None:
    assert MiniBatch({"scale": torch.tensor(2.0), "x": IMAGES}).samples == 20
    assert MiniBatch((IMAGES,), samples=5).samples == 5


def test_bad_inputs() -> None:
    with pytest.raises(TypeError, match="or a data loader, got int"):
        swap.Scorer(3)
    with pytest.raises(ValueError, match="pass samples="):
        swap.Scorer((torch.tensor(1.0),))
    with pytest.raises(ValueError, match="empty"):
        swap.Scorer((torch.empty(0, 3),))
    with pytest.raises(ValueError, match="data loader is empty"):
        swap.Scorer(DataLoader(torch.empty(0, 3)))
