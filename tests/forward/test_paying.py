"""Which convolutions are left to torch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from swapnas_ext import patterns
from swapnas_ext.forward import paying


@pytest.fixture(params=["scalar", "neon", "avx2", "avx512"])
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(patterns, "build_info", lambda: {"cpu_isa": request.param})
    paying._is_measured_isa.cache_clear()
    yield request.param
    paying._is_measured_isa.cache_clear()


def pays(x: tuple[int, ...], weight: tuple[int, ...], stride: int = 1, groups: int = 1) -> bool:
    padding = weight[2] // 2
    return paying.pays(x, weight, stride, stride, padding, padding, 1, 1, groups)


@pytest.mark.parametrize(
    ("x", "weight", "stride", "groups"),
    [
        ((16, 192, 32, 32), (192, 1, 3, 3), 1, 192),
        ((16, 192, 32, 32), (192, 1, 5, 5), 2, 192),
        ((16, 24, 8, 8), (24, 1, 3, 3), 1, 24),
        ((16, 192, 32, 32), (192, 6, 1, 1), 1, 32),
        ((16, 64, 8, 8), (64, 64, 1, 1), 1, 1),
        ((16, 3, 32, 32), (18, 3, 3, 3), 1, 1),
        ((16, 512, 32, 32), (512, 16, 3, 3), 1, 32),
    ],
)
def test_measured_instruction_sets(
    isa: str, x: tuple[int, ...], weight: tuple[int, ...], stride: int, groups: int
) -> None:
    assert pays(x, weight, stride, groups) == isa.startswith("avx")


@pytest.mark.parametrize(
    ("x", "weight", "stride", "groups"),
    [
        ((16, 768, 8, 8), (768, 1, 3, 3), 1, 768),  # many small planes
        ((16, 64, 32, 32), (64, 1, 7, 7), 1, 64),
        ((16, 64, 8, 8), (64, 64, 3, 3), 1, 1),
        ((16, 256, 14, 14), (256, 256, 1, 1), 1, 1),
        ((16, 16, 224, 224), (16, 3, 3, 3), 1, 1),
        ((16, 16, 32, 32), (16, 16, 1, 3), 1, 1),
        ((16, 16, 32, 32), (16, 16, 1, 1), 3, 1),
    ],
)
def test_left_to_torch(
    isa: str, x: tuple[int, ...], weight: tuple[int, ...], stride: int, groups: int
) -> None:
    assert not pays(x, weight, stride, groups)
