"""Mini-batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from swapnas_ext import data


@pytest.mark.parametrize("samples", [1, 2, 7, 16, 33, 64, 256])
def test_photograph(samples: int) -> None:
    batch = data.photograph(samples, 32)
    assert batch.shape == (samples, 3, 32, 32)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous()
    assert torch.equal(batch, data.photograph(samples, 32))
    assert len(torch.unique(batch.flatten(1), dim=0)) == samples


def test_normalisation(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), (255, 0, 128)).save(tmp_path / "plain.png")
    batch = data.images(tmp_path / "plain.png", samples=4, size=8)
    expected = (torch.tensor([1.0, 0.0, 128 / 255]) - torch.tensor(data.MEAN)) / torch.tensor(
        data.STD
    )
    assert torch.allclose(batch, expected[None, :, None, None].expand(4, 3, 8, 8))


def test_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name, gray in (("b.png", 200), ("a.png", 100), ("sub/c.jpg", 50)):
        Image.new("L", (50, 30), gray).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    batch = data.images(tmp_path, samples=3)
    assert batch.shape == (3, 3, 32, 32)
    brightness = batch.mean((1, 2, 3))
    assert brightness[1] > brightness[0] > brightness[2]
    with pytest.raises(ValueError, match="3 images, 4 samples"):
        data.images(tmp_path, samples=4)


def test_central_square(tmp_path: Path) -> None:
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    batch = data.images(tmp_path, samples=1, size=10)
    assert batch.std((2, 3)).max() == 0


def test_npz(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "named.npz", images=pixels, labels=np.arange(5))
    np.savez(tmp_path / "single.npz", pixels)
    floats = np.moveaxis(pixels, 3, 1).astype(np.float32) / 255
    np.savez(tmp_path / "floats.npz", images=floats)
    batch = data.images(tmp_path / "named.npz", samples=4)
    assert batch.shape == (4, 3, 8, 8)
    assert torch.equal(batch, data.images(tmp_path / "single.npz", samples=4))
    assert torch.allclose(batch, data.images(tmp_path / "floats.npz", samples=4), atol=1e-5)
    assert data.images(tmp_path / "named.npz", samples=4, size=16).shape == (4, 3, 16, 16)


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.images(tmp_path / "nowhere")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(ValueError, match=r"broken\.png"):
        data.images(tmp_path, samples=1)
    with pytest.raises(ValueError, match=r"broken\.png"):
        data.images(tmp_path / "broken.png")
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match=r"broken\.npz"):
        data.images(tmp_path / "broken.npz")
    np.savez(tmp_path / "objects.npz", images=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"objects\.npz"):
        data.images(tmp_path / "objects.npz")
    np.savez(tmp_path / "flat.npz", images=np.zeros((5, 3), np.uint8))
    with pytest.raises(ValueError, match=r"uint8 \[N, H, W, 3\].*got uint8 \[5, 3\]"):
        data.images(tmp_path / "flat.npz")
    np.savez(tmp_path / "two.npz", a=np.zeros(1), b=np.zeros(1))
    with pytest.raises(ValueError, match="named 'images'"):
        data.images(tmp_path / "two.npz")
    np.savez(tmp_path / "few.npz", images=np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="2 images, 16 samples"):
        data.images(tmp_path / "few.npz")


@pytest.mark.parametrize(("samples", "size"), [(0, 32), (-1, 32), (16, 0), (10**7, 32)])
def test_bad_counts(samples: int, size: int) -> None:
    with pytest.raises(ValueError, match=r"samples|size|patches"):
        data.photograph(samples, size)


def test_first_batch() -> None:
    x = torch.arange(40.0).view(20, 2)
    loader = DataLoader(TensorDataset(x, torch.zeros(20)), batch_size=8)
    assert torch.equal(data.first_batch(loader), x[:8])
    assert torch.equal(data.first_batch(loader, 5), x[:5])
    assert data.first_batch([{"ids": x}])["ids"] is x
    with pytest.raises(ValueError, match="8 samples, 9 are wanted"):
        data.first_batch(loader, 9)
    with pytest.raises(ValueError, match="empty"):
        data.first_batch([])
