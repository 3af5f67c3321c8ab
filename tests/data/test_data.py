"""Mini-batches."""

from __future__ import annotations

import io
import pickle
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from swapnas_ext import data
from swapnas_ext.data import array_file


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


@pytest.mark.parametrize("portion", [1000, 5000])
@pytest.mark.parametrize("columns_first", [False, True])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_no_more_is_unpacked_than_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Any, columns_first: bool, portion: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 8, 8, 3), dtype=np.uint8)
    monkeypatch.setattr(array_file, "_PORTION", portion)
    save(tmp_path / "x.npz", np.asfortranarray(pixels) if columns_first else pixels)
    np.save(tmp_path / "x.npy", pixels)
    expected = data.images(tmp_path / "x.npy", 5)
    largest = 0
    read = zipfile.ZipExtFile.read

    def watched(self: Any, count: int = -1) -> bytes:
        nonlocal largest
        content = read(self, count)
        largest = max(largest, len(content))
        return content

    monkeypatch.setattr(zipfile.ZipExtFile, "read", watched)
    assert torch.equal(data.images(tmp_path / "x.npz", 5), expected)
    # Where all rows of a value lie together, the others are passed over, some values at a time.
    assert largest <= (5000 if columns_first else 5 * 8 * 8 * 3)


@pytest.mark.parametrize("columns_first", [False, True])
@pytest.mark.parametrize(
    ("shape", "kind", "problem"),
    [
        ((16, 100_000, 100_000, 3), "|u1", r"its first 16 of shape \[100000, .*GiB; save smaller"),
        (
            (0, 1_000_000, 1_000_000, 1000),
            "|u1",
            r"must be .*got uint8 \[0, 1000000, 1000000, 1000\]",
        ),
        ((20, 100_000, 100_000, 3), "|V0", r"must be .*got \|V0 \[20, 100000, 100000, 3\]"),
        ((20, 0, 10**15, 3), "|u1", "must be "),
        ((20, 32, 32, 3), "|u1", "it is damaged"),
    ],
)
def test_headers_that_promise_what_is_not_there(
    tmp_path: Path, shape: tuple[int, ...], kind: str, problem: str, columns_first: bool
) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"shape": shape, "fortran_order": columns_first, "descr": kind}
    )
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue())
    with pytest.raises(ValueError, match=rf"x\.npz.*{problem}"):
        data.images(tmp_path / "x.npz", 16)


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


def test_a_named_array(tmp_path: Path) -> None:
    first, second = np.random.default_rng(0).integers(0, 256, (2, 5, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "two.npz", **{"x_train": first, "x_test": second, "sub/a:b": first})
    np.save(tmp_path / "first.npy", first)
    np.save(tmp_path / "second.npy", second)
    for name, array in (("x_train", "first"), ("x_test", "second"), ("sub/a:b", "first")):
        batch = data.images(f"{tmp_path / 'two.npz'}:{name}", samples=4)
        assert torch.equal(batch, data.images(tmp_path / f"{array}.npy", samples=4))
    np.savez(tmp_path / "images.npz", images=first, x_test=second)
    assert torch.equal(
        data.images(f"{tmp_path / 'images.npz'}:x_test", 4), data.images(tmp_path / "second.npy", 4)
    )
    with pytest.raises(
        ValueError, match=r"the arrays \['x_train', .*none of them named 'x'; choose one"
    ):
        data.images(f"{tmp_path / 'two.npz'}:x")
    with pytest.raises(ValueError, match=r"named 'images'; choose one, as in two\.npz:x_train"):
        data.images(tmp_path / "two.npz")
    with pytest.raises(FileNotFoundError, match=r"no images at .*nowhere\.npz: expected"):
        data.images(tmp_path / "nowhere.npz:x")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(ValueError, match=r"folder\.npz is a folder, and has no array 'x'"):
        data.images(tmp_path / "folder.npz:x")


def archive(path: Path, compressed: bool) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
    (np.savez_compressed if compressed else np.savez)(path, images=pixels)
    return path.read_bytes()


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_archives(compressed: bool, tmp_path: Path) -> None:
    """One sentence with the name of the file, wherever it is cut off."""
    path = tmp_path / "images.npz"
    whole = archive(path, compressed)
    for length in (0, 1, 4, 30, 60, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"^can't read images from .*images\.npz: [^\n]+$"):
            data.images(path, 4)


@given(st.binary(max_size=100) | st.binary(max_size=100).map(b"PK\3\4".__add__), st.booleans())
def test_any_bytes_are_refused_in_one_sentence(content: bytes, npz: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x.np{'z' if npz else 'y'}"
        path.write_bytes(content if npz else b"\x93NUMPY\x01\0" + content)
        with pytest.raises(ValueError, match=r"^can't read images from .*x\.np[yz]: [^\n]+$"):
            data.images(path, 4)


@given(st.data())
def test_flipped_bits_do_no_harm(given_data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npz"
        content = bytearray(archive(path, compressed=given_data.draw(st.booleans())))
        content[given_data.draw(st.integers(0, len(content) - 1))] ^= given_data.draw(
            st.integers(1, 255)
        )
        path.write_bytes(content)
        try:
            assert data.images(path, 4).isfinite().all()
        except ValueError as error:
            assert "x.npz" in str(error)


def test_python_objects_are_not_read(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "harm",)

    (tmp_path / "objects.npz").write_bytes(pickle.dumps(Harmful()))
    np.save(tmp_path / "objects.npy", np.array([Harmful()], dtype=object), allow_pickle=True)
    for name in ("objects.npz", "objects.npy"):
        with pytest.raises(ValueError, match=rf"{name}: .*Python objects"):
            data.images(tmp_path / name, 1)
    assert not (tmp_path / "harm").exists()


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
    pair = DataLoader(TensorDataset(x, x + 1, torch.zeros(20)), batch_size=2)
    assert torch.equal(data.first_batch(pair), x[:2])
    parts = [x, x + 1]
    assert data.first_batch([(parts, torch.zeros(20))]) is parts
    with pytest.raises(ValueError, match="8 samples, 9 are wanted"):
        data.first_batch(loader, 9)
    with pytest.raises(ValueError, match="empty"):
        data.first_batch([])
