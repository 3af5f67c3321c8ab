"""Short names of architectures."""

from __future__ import annotations

import swapnas_ext as swap
from swapnas_ext.report.shared.names import short_name

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|"


def test_what_an_architecture_is_made_of() -> None:
    space = swap.spaces.get("nasbench201")
    assert short_name(CELL, space) == "conv3x3·2 skip·1 avg3x3·1 conv1x1·1"


def test_a_short_string_is_its_own_name() -> None:
    assert short_name("64-41414-1_02_033", swap.spaces.get("transnas-micro")) == "64-41414-1_02_033"


def test_what_can_not_be_drawn_is_cut_off() -> None:
    space = swap.spaces.get("nasbench201")
    for text, known in ((CELL, None), ("x" * 300, space)):
        name = short_name(text, known)
        assert name == f"{text[:57]}..."


def test_blocks_of_a_chain() -> None:
    space = swap.spaces.get("mobilenet")
    text = "w1.0|k7e3,k5e3|k5e4,k7e4,k3e3|k3e4,k5e6,k3e6|k5e6,k3e6,k3e4|k3e3,k7e6"
    assert short_name(text, space).startswith("3x3e3·2 3x3e4·2 5x5e6·2 3x3e6·2 7x7e3·1")
