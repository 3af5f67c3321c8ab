"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapnas_ext._util import decimal, rate_text, significant


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (-0.0, 2, "0.00"),
        (-0.004, 2, "0.00"),
        (-0.006, 2, "-0.01"),
        (-0.4, 0, "0"),
        (1234.5678, 1, "1,234.6"),
        (math.nan, 3, "-"),
    ],
)
def test_decimals(value: float, digits: int, text: str) -> None:
    assert decimal(value, digits) == text


def test_a_sign_is_only_of_what_is_not_zero() -> None:
    texts = [decimal(value, 2, sign=True) for value in (-0.001, 0.0, 0.001, 0.25, -0.25)]
    assert texts == ["0.00", "0.00", "0.00", "+0.25", "-0.25"]


def test_significant_digits() -> None:
    values = (-0.0, 1.5e10, 4841.0, 0.5, math.nan)
    assert [significant(value) for value in values] == ["0", "1.5e+10", "4841", "0.5", "-"]


@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_no_negative_zero(value: float, digits: int) -> None:
    for text in (decimal(value, digits), decimal(value, digits, sign=True)):
        number = float(text.replace(",", ""))
        assert number == pytest.approx(value, abs=0.51 * 10.0**-digits)
        assert number != 0 or not text.startswith(("-", "+"))


def test_rates() -> None:
    rates = (1234.4, 2.55, 0.5, 0.001, 1 / 7200, 1 / 200_000)
    assert [rate_text(rate) for rate in rates] == [
        "1,234 candidates/s",
        "2.5 candidates/s",
        "30 candidates/min",
        "3.6 candidates/h",
        "1 per 2 h 0 min",
        "1 per 2 d 7 h",
    ]
    assert [rate_text(rate) for rate in (0.0, -1.0, math.inf, math.nan)] == ["-"] * 4


@given(st.floats(1e-9, 1e9))
def test_a_rate_is_never_told_as_zero(rate: float) -> None:
    text = rate_text(rate)
    assert not text.startswith(("0 ", "-", "1 per 0"))
