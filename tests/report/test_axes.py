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
    assert axis.filter == "datum.x >= 1000"
    kept = Axis("x", "x", values)
    assert kept.hidden == 0 and kept.is_log and kept.filter == ""
    many = Axis("x", "x", [*[1e-30] * 30, *values], trims=True)
    assert many.hidden == 0


def test_numbers() -> None:
    numbers = {0: "0", 0.002: "0.002", 250: "250", 2500: "2,500", 1.5e6: "1.5M", 3e12: "3e+12"}
    assert {value: number_text(value) for value in numbers} == numbers
    assert number_text(20, "ms") == "20 ms"
