"""Images of 16 bits, of floating-point numbers, and of every mode are those of 8 bits."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from swapnas_ext import data

Pixels = np.ndarray[Any, Any]

GREY = (np.arange(4096).reshape(64, 64) // 16).astype(np.uint8)
COLORS = np.stack([GREY, GREY.T, 255 - GREY], axis=2)
STEP = 1.5 / 255 / min(data.STD)


def grey_batch(folder: Path) -> Tensor:
    Image.fromarray(GREY).save(folder / "eight.png")
    return data.images(folder / "eight.png", 4, 16)


def png_of_16_bits(path: Path, pixels: Pixels) -> None:
    """[H, W, 2], [H, W, 3] or [H, W, 4], which Pillow does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("sixteen.png", GREY.astype(np.uint16) * 257),
        ("sixteen.tif", GREY.astype(np.uint16) * 257),
        ("big-endian.tif", GREY.astype(">u2") * 257),
        ("sixteen.ppm", GREY.astype(np.uint16) * 257),
        ("twelve.png", GREY.astype(np.uint16) * 16),
        ("eight-in-sixteen.png", GREY.astype(np.uint16)),
        ("whole.tif", GREY.astype(np.int32) * 257),
        ("unit.tif", GREY.astype(np.float32) / 255),
        ("floats.tif", GREY.astype(np.float32)),
        ("one-bit.png", GREY > 127),
    ],
)
def test_grey_files(name: str, pixels: Pixels, tmp_path: Path) -> None:
    expected = grey_batch(tmp_path)
    if pixels.dtype == np.bool_:
        Image.fromarray(np.uint8(255) * pixels).save(tmp_path / "eight.png")
        expected = data.images(tmp_path / "eight.png", 4, 16)
    Image.fromarray(pixels).save(tmp_path / name)
    batch = data.images(tmp_path / name, 4, 16)
    assert batch.std() > 0.5
    assert (batch - expected).abs().max() < STEP


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_files_of_16_bits(channels: int, tmp_path: Path) -> None:
    Image.fromarray(COLORS).save(tmp_path / "eight.png")
    pixels = np.concatenate([COLORS, COLORS[..., :1]], axis=2)[..., :channels]
    png_of_16_bits(tmp_path / "sixteen.png", pixels.astype(np.uint16) * 257)
    eight, sixteen = (data.images(tmp_path / f"{name}.png", 4, 16) for name in ("eight", "sixteen"))
    assert torch.equal(eight, sixteen)


@pytest.mark.parametrize("factor", [1, 16])
def test_colours_in_the_lower_bits_are_refused(factor: int, tmp_path: Path) -> None:
    """Pillow reads the upper eight."""
    png_of_16_bits(tmp_path / "twelve.png", COLORS.astype(np.uint16) * factor)
    with pytest.raises(
        ValueError, match=r"twelve\.png have 16 bits for each colour.*as a uint16 array"
    ):
        data.images(tmp_path / "twelve.png", 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_modes_of_8_bits(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(COLORS).convert(mode)
    image.save(tmp_path / "mode.tif")
    image.convert("RGB").save(tmp_path / "rgb.png")
    batch = data.images(tmp_path / "mode.tif", 4, 16)
    assert torch.equal(batch, data.images(tmp_path / "rgb.png", 4, 16))


def test_dark_images_stay_dark_in_a_folder(tmp_path: Path) -> None:
    for name, level in (("a", 1), ("b", 128), ("c", 255)):
        pixels = np.full((32, 32), level * 257, np.uint16)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    Image.new("L", (32, 32), 128).save(tmp_path / "d.png")
    levels = data.images(tmp_path, 4, 8).mean((2, 3)) * torch.tensor(data.STD)
    levels = (levels + torch.tensor(data.MEAN)) * 255
    assert torch.allclose(
        levels, torch.tensor([1.0, 128, 255, 128])[:, None].expand(4, 3), atol=0.1
    )


def test_nothing_but_black(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((32, 32), np.uint16)).save(tmp_path / "black.png")
    batch = data.images(tmp_path / "black.png", 4, 8)
    black = -torch.tensor(data.MEAN) / torch.tensor(data.STD)
    assert torch.allclose(batch, black[None, :, None, None].expand(4, 3, 8, 8))


# ---- arrays ----------------------------------------------------------------------------------------

IMAGES = np.stack([np.rot90(COLORS, turns)[::4, ::4] for turns in range(4)])


def saved(folder: Path, array: Pixels) -> Path:
    np.save(folder / "array.npy", array)
    return folder / "array.npy"


@pytest.mark.parametrize(
    "array",
    [
        IMAGES.astype(np.uint16),
        IMAGES.astype(np.uint16) * 16,
        IMAGES.astype(np.uint16) * 257,
        IMAGES.astype(">u2") * 257,
        IMAGES.astype(np.int32),
        IMAGES.astype(np.int64) * 257,
        IMAGES.astype(np.float16) / np.float16(255),
        IMAGES.astype(np.float32) / 255,
        IMAGES.astype(np.float32),
        IMAGES.astype(np.float64) / 255,
        IMAGES.astype(np.float64) + 0.3,
        IMAGES.astype(">f8"),
        np.moveaxis(IMAGES, 3, 1),
        np.moveaxis(IMAGES, 3, 1).astype(np.float32) / 255,
    ],
    ids=lambda array: f"{array.dtype.str}, {list(array.shape)}, to {array.max():.6g}",
)
def test_arrays_of_every_type(array: Pixels, tmp_path: Path) -> None:
    batch = data.images(saved(tmp_path, array), 4)
    expected = data.images(saved(tmp_path, IMAGES), 4)
    assert batch.shape == (4, 3, 16, 16)
    assert (batch - expected).abs().max() < STEP


def test_arrays_of_yes_and_no(tmp_path: Path) -> None:
    expected = data.images(saved(tmp_path, np.uint8(255) * (IMAGES > 127)), 4)
    for dtype in (np.bool_, np.int64, np.float32):
        batch = data.images(saved(tmp_path, (IMAGES > 127).astype(dtype)), 4)
        assert torch.allclose(batch, expected)


NAN = IMAGES.astype(np.float32)
NAN[2, 1, 1, 1] = np.nan
WHITENED = ((IMAGES / 255.0 - 0.5) / 0.25).astype(np.float32)


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (WHITENED, r"values from -2 to 2: .*normalised already, pass them as a tensor"),
        (NAN, "NaN or infinite"),
        (IMAGES.astype(np.int32) - 3, "values from -3 to 252: expected"),
        (IMAGES.astype(np.int32) * 65537, "values from 0 to 1.67"),
        (IMAGES.astype(np.uint32) * 16843009, "values from 0 to 4.29"),
        (IMAGES.astype(np.float32) * 257, "values from 0 to 65535: expected"),
        (IMAGES / 255 * 1.5, r"values from 0 to 1\.5: expected"),
        (IMAGES / 255 - 0.1, r"values from -0\.1 to 0\.9: expected"),
        (IMAGES.astype(np.complex64), "of type complex64: expected"),
        (IMAGES.astype(str), "of type <U3: expected"),
    ],
)
def test_values_of_unknown_range_are_refused(array: Pixels, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"array\.npy .*{problem}"):
        data.images(saved(tmp_path, array), 4)


def test_files_of_unknown_range_are_refused(tmp_path: Path) -> None:
    for values in (GREY.astype(np.float32) / 64 - 2, GREY.astype(np.int32) * 65537):
        Image.fromarray(values).save(tmp_path / "values.tif")
        with pytest.raises(ValueError, match=r"values\.tif have values from .*expected 8 bits"):
            data.images(tmp_path / "values.tif", 4)


def test_grey_arrays(tmp_path: Path) -> None:
    grey = IMAGES[..., 0]
    expected = data.images(saved(tmp_path, np.repeat(grey[..., None], 3, axis=3)), 4)
    for array in (grey, grey[..., None], grey[:, None], grey / 255, (grey / 255)[:, None]):
        assert torch.allclose(data.images(saved(tmp_path, array), 4), expected, atol=1e-5)


@pytest.mark.parametrize(
    "shape", [(16, 16, 3), (16, 16), (4, 5, 16, 16), (4, 0, 0, 3), (4, 768), ()]
)
def test_arrays_of_other_shapes_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must be uint8 \[N, H, W, 3\].* grey .*got uint8 \["):
        data.images(saved(tmp_path, np.zeros(shape, np.uint8)), 4)
