"""Axes of charts."""

from __future__ import annotations

import math

import pytest

from swapnas_ext.report.shared.axes import Axis, number_text, ticks


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (9e4, 1.2e6, [1e5, 3e5, 1e6]),
        (1.1, 16, [2, 5, 10]),
        (1.1, 4.4, [1.5, 2, 3, 4]),
        (1, 1e30, [10.0**power for power in range(0, 31, 4)]),
    ],
)
def test_round_numbers_of_a_logarithmic_axis(low: float, high: float, found: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(found)


def test_an_axis_is_logarithmic_where_values_are_far_apart() -> None:
    assert Axis("x", "x", [1, 51]).is_log and not Axis("x", "x", [1, 49]).is_log
    assert Axis("x", "x", [1, 4], wide=3.0).is_log
    assert not Axis("x", "x", [0, 1e9]).is_log and not Axis("x", "x", []).is_log
    assert not Axis("x", "x", [1, 1e9, math.nan], wide=math.inf).is_log
    encoding = Axis("x", "size, ms", [1, 100], "ms").encoding()
    assert encoding["scale"]["type"] == "log" and encoding["axis"]["title"] == "size, ms"
    assert encoding["axis"]["labelExpr"].endswith("+ ' ms'")


def test_a_few_values_far_below_are_left_out() -> None:
    values = [1e-30, *range(1000, 1100)]
    axis = Axis("x", "x", values, trims=True)
    assert axis.hidden == 1 and not axis.is_log and axis.shown[0] == 1000
    assert axis.filter == "datum.x >= 1000.0"
    kept = Axis("x", "x", values)
    assert kept.hidden == 0 and kept.is_log and kept.filter == ""
    many = Axis("x", "x", [*[1e-30] * 30, *values], trims=True)
    assert many.hidden == 0


def test_a_filter_keeps_what_is_rounded() -> None:
    lowest = 1000.00049  # in the data of a page: 1000
    axis = Axis("x", "x", [1e-30, lowest, *range(2000, 2100)], trims=True)
    assert axis.filter == "datum.x >= 1000.0"


def test_numbers_of_an_axis_are_told_apart() -> None:
    values = [43_000 + 0.2 * place for place in range(50)]
    narrow = Axis("x", "x", values)
    assert narrow.digits == 6 and "'.6~s'" in narrow.encoding()["axis"]["labelExpr"]
    texts = [number_text(value, digits=narrow.digits) for value in (43_002, 43_004, 43_006)]
    assert texts == ["43.002k", "43.004k", "43.006k"]
    assert Axis("x", "x", [1, 2]).digits == Axis("x", "x", [5, 5]).digits == 4
    assert Axis("x", "x", [1, 1 + 1e-15]).digits == 7  # as many as the data have


def test_an_axis_of_whole_numbers_has_no_parts_of_them() -> None:
    assert Axis("x", "x", [0, 1]).encoding()["axis"]["tickMinStep"] == 1
    assert "tickMinStep" not in Axis("x", "x", [0, 1.5]).encoding()["axis"]


def test_numbers() -> None:
    numbers = {0: "0", 0.002: "0.002", 250: "250", 2500: "2,500", 1.5e6: "1.5M", 3e12: "3e+12"}
    assert {value: number_text(value) for value in numbers} == numbers
    assert number_text(20, "ms") == "20 ms"


def test_an_axis_writes_all_its_large_numbers_in_one_way() -> None:
    low, high = Axis("x", "x", [1e7, 9e8]), Axis("x", "x", [1e7, 2e10])
    assert not low.has_powers and ">= 1e+09 ||" in low.encoding()["axis"]["labelExpr"]
    assert high.has_powers and ">= 10000 ||" in high.encoding()["axis"]["labelExpr"]
    assert number_text(1e8) == "100M" and number_text(1e8, has_powers=True) == "1e+08"
    assert number_text(2500, has_powers=True) == "2,500"
