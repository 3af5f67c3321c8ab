"""Mini-batches of every kind."""

from __future__ import annotations

from collections import UserDict, namedtuple
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import swapnas_ext as swap
from swapnas_ext.models.inputs import MiniBatch

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
    for empty in ((torch.empty(0, 3),), ([torch.empty(0, 3)] * 4,)):
        with pytest.raises(ValueError, match="empty"):
            swap.Scorer(empty)
    for nothing in (([],), (["text"] * 4,), {"scale": [torch.tensor(1.0)] * 4}):
        with pytest.raises(ValueError, match=r"no list of tensors, one .*pass samples="):
            swap.Scorer(nothing)
    with pytest.raises(ValueError, match="data loader is empty"):
        swap.Scorer(DataLoader(torch.empty(0, 3)))


# ---- samples in lists ------------------------------------------------------------------------------

LISTED = [torch.randn(3, 9, 9, generator=torch.Generator().manual_seed(i)) for i in range(12)]
BATCH = torch.randn(12, 16)
BOXES = [{"boxes": torch.rand(k, 4), "labels": torch.zeros(k)} for k in (0, 2, 1) * 4]


class Detector(nn.Module):
    """Takes a list of images, or of dicts with one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.act = nn.Conv2d(3, 8, 3), nn.ReLU()

    def forward(self, images: Any, targets: Any = None) -> Tensor:
        assert isinstance(images, list | tuple)
        images = [image["image"] if isinstance(image, dict) else image for image in images]
        return self.act(self.conv(torch.stack(images)))


DICTS = [{"image": image, "height": 480, "id": i} for i, image in enumerate(LISTED)]


@pytest.mark.parametrize(
    "inputs",
    [
        (LISTED,),
        [LISTED],
        (tuple(LISTED),),
        (LISTED, BOXES),
        (DICTS,),
        (tuple(DICTS),),
        {"images": LISTED},
        {"targets": BOXES, "images": LISTED},
        {"images": DICTS, "targets": None},
    ],
    ids=range(9),
)
@pytest.mark.parametrize("measure", ["patterns", "composite"])
@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_a_list_of_images(inputs: Any, measure: str) -> None:
    score = swap.score(Detector(), inputs, measure=measure)
    assert score.samples == 12
    assert score.patterns == swap.score(Detector(), (LISTED,)).patterns
    stacked = nn.Sequential((detector := Detector()).conv, detector.act)
    assert score.patterns == swap.score(stacked, torch.stack(LISTED)).patterns


@pytest.mark.parametrize(
    ("inputs", "samples"),
    [
        (([torch.ones(k, 16) for k in (3, 5, 4)],), 3),  # sequences
        (([torch.ones(k) for k in (3, 5, 4)],), 3),
        (([torch.ones(3, k, 7) for k in range(5, 12)],), 7),  # images of several sizes
        (([torch.ones(1, 3, 9, 9)] * 12,), 12),
        (([torch.ones(8, 3, 9, 9)] * 12,), 12),  # clips
        (([[torch.ones(3, 9, 9)] * 2] * 12,), 12),  # views
        (([(torch.ones(3, 9, 9), torch.ones(9, 9))] * 12,), 12),
        (({"images": LISTED, "scale": torch.tensor(2.0)},), 12),
        ({"image_sizes": [(9, 9)] * 3, "images": LISTED}, 12),
        ({"image_sizes": torch.ones(12, 2), "images": LISTED}, 12),
        ((LISTED, torch.ones(3)), 12),
        # batches, in lists, tuples and mappings
        ([BATCH, BATCH], 12),
        ((BATCH, LISTED[:5]), 12),
        (([BATCH],), 12),
        (((BATCH, torch.ones(12, 4)),), 12),
        (((BATCH, torch.ones(900, 4)),), 12),
        (([torch.ones(12, 8, k, k) for k in (8, 4, 2)],), 12),  # feature maps
        (([torch.ones(12, 3, 9, 9)] * 2,), 12),
        (([torch.ones(12, 8), torch.ones(12, 5)],), 12),
        (([torch.ones(12, 3, 9, 9), torch.ones(12, 5)],), 12),
        (([torch.ones(12, 7, 5)] * 2, torch.ones(12, 7)), 12),  # as the other argument tells
        (({"x": BATCH, "y": [BATCH]},), 12),
        ((BATCH, {"x": [torch.ones(5)] * 3}), 12),
    ],
)
def test_how_many_samples(inputs: Any, samples: int) -> None:
    assert MiniBatch(inputs).samples == samples


def test_lists_are_copied_whole() -> None:
    batch = MiniBatch((DICTS, BOXES))
    images, boxes = batch.on(CPU)[0]
    for copy, given in zip([*images, *boxes], [*DICTS, *BOXES], strict=True):
        assert copy.keys() == given.keys()
        for name, value in given.items():
            if isinstance(value, Tensor):
                assert torch.equal(copy[name], value)
                assert copy[name] is not value
            else:
                assert copy[name] == value
    assert batch.on(torch.device("meta"))[0][0][5]["image"].is_meta


def test_noise_in_place_of_every_listed_sample() -> None:
    batch = MiniBatch(([{"scale": torch.tensor(2.0), **item} for item in DICTS], BOXES))
    (images, boxes), _ = batch.noise(torch.Generator().manual_seed(99), CPU)
    noise = torch.stack([item["image"] for item in images])
    assert noise.shape == (12, 3, 9, 9)
    assert all((noise != image).all() for image in LISTED)
    assert all(item["scale"] == 2 for item in images)
    assert all(torch.equal(x["boxes"], y["boxes"]) for x, y in zip(boxes, BOXES, strict=True))


class Pairs(Dataset[Any]):
    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        return LISTED[index], BOXES[index]


@pytest.mark.parametrize(
    "collate",
    [
        lambda pairs: tuple(zip(*pairs, strict=True)),
        lambda pairs: [list(part) for part in zip(*pairs, strict=True)],
        lambda pairs: [image for image, _ in pairs],
        lambda pairs: [{"image": image, **boxes} for image, boxes in pairs],
        lambda pairs: ([{"image": image} for image, _ in pairs], [boxes for _, boxes in pairs]),
    ],
)
@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_data_loaders_of_lists(collate: Any) -> None:
    for size in (12, 20):
        score = swap.score(Detector(), DataLoader(Pairs(), batch_size=size, collate_fn=collate))
        assert score.patterns == swap.score(Detector(), (LISTED,)).patterns
        assert score.samples == 12
    loader = DataLoader(Pairs(), batch_size=10, collate_fn=collate)
    assert swap.score(Detector(), loader, samples=8) == swap.score(Detector(), (LISTED[:8],))
    with pytest.raises(ValueError, match="10 samples, 11 are wanted"):
        swap.score(Detector(), loader, samples=11)


# ---- pairs of noise --------------------------------------------------------------------------------

IDS = torch.arange(30).reshape(6, 5)


def pairs(inputs: Any, count: int = 4, **options: Any) -> Any:
    generator = torch.Generator().manual_seed(1)
    return MiniBatch(inputs, **options).pairs_of_noise(generator, CPU, count)


@pytest.mark.parametrize(
    "shape", [(6, 3, 8, 8), (6, 1, 8, 8), (6, 5, 7), (6, 6, 6), (6, 2, 3, 4, 5)]
)
def test_pairs_of_images_and_sequences(shape: tuple[int, ...]) -> None:
    values = torch.full(shape, 7.0)
    ((found,), kwargs) = pairs(values)
    expected = torch.randn(4, *shape[1:], generator=torch.Generator().manual_seed(1))
    assert kwargs == {}
    assert torch.equal(found, torch.cat([expected, expected]))
    assert bool((values == 7).all())


def test_pairs_of_other_kinds_and_layouts() -> None:
    ((found,), _) = pairs(IMAGES.bfloat16())
    assert found.dtype == torch.bfloat16
    ((found,), _) = pairs(IMAGES, channels_last=True)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_pairs_of_token_ids() -> None:
    expected = torch.cat([IDS[:4], IDS[:4]])
    ((found,), _) = pairs(IDS)
    assert torch.equal(found, expected)
    mask = (IDS % 2).float()
    _, found = pairs({"input_ids": IDS, "attention_mask": mask})
    assert torch.equal(found["input_ids"], expected)
    assert torch.equal(found["attention_mask"], expected % 2)


@pytest.mark.parametrize(
    "inputs",
    [
        torch.randn(6, 5),  # rows of features
        torch.randn(3, 3, 8, 8),  # too few samples
        {"input_ids": torch.arange(36).reshape(6, 6)},  # square
        {"x": torch.randn(6, 5, 7), "mask": torch.ones(6, 6)},
        {"x": torch.randn(6, 5, 7), "lengths": torch.ones(6)},
        {"x": torch.randn(6, 5, 7), "column": torch.ones(6, 1)},
        {"x": torch.randn(6, 5, 7), "mask": torch.ones(5, 5)},
        {"x": torch.randn(6, 5, 7), "scale": torch.tensor(2.0)},
        (LISTED,),
        DICTS,
        torch.nn.utils.rnn.pack_sequence([torch.randn(k, 4) for k in (3, 2, 2, 1, 1)]),
        torch.randn(6, 5, 7).to_sparse(),
    ],
)
def test_no_pairs_of_what_may_be_something_else(inputs: Any) -> None:
    assert pairs(inputs) is None


def test_no_pairs_where_the_samples_come_second() -> None:
    assert pairs(torch.randn(9, 5, 7), samples=5) is None


def test_samples_that_are_varied_or_left_out() -> None:
    images, numbers = torch.randn(4, 3, 8, 8), torch.arange(4)
    batch = MiniBatch({"x": images, "n": numbers, "mask": torch.ones(3, 3)})
    _, varied = batch.varied(torch.zeros_like, torch.device("cpu"))
    assert not varied["x"].any() and torch.equal(varied["n"], numbers)
    _, some = batch.varied(torch.neg, torch.device("cpu"), [3, 1])
    assert torch.equal(some["x"], -images[[3, 1]]) and some["n"].tolist() == [3, 1]
    assert some["mask"].shape == (3, 3)
    (listed,), _ = MiniBatch((list(images),)).varied(torch.neg, torch.device("cpu"), [2])
    assert len(listed) == 1 and torch.equal(listed[0], -images[2])
