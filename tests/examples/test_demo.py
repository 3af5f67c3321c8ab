"""The demo: what it says of a ranking and of the winner of a search."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import swapnas_ext as swap

PATH = Path(__file__).parents[2] / "examples" / "demo.py"
SPACE = swap.spaces.get("nasbench201")


@pytest.fixture
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_demo_at_a_time_and_only_where_it_can_write(
    demo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    demo.RUN.write_text("of an earlier one")
    with demo.files():
        assert not demo.RUN.exists()
        demo.RUN.write_text("of this one")
        with pytest.raises(RuntimeError, match="another demo runs"), demo.files():
            pass
        assert demo.RUN.read_text() == "of this one"
    demo.PAGE.mkdir()
    with pytest.raises(ValueError, match=r"demo-search\.html is a folder"), demo.files():
        pass
    assert demo.RUN.exists()


def test_the_mean_of_the_highest(demo: Any) -> None:
    values = [7.0, 6.0, 5.0, 4.0, 3.0, 2.0]
    accuracies = [90.0, 80.0, 70.0, 60.0, 50.0, 10.0]
    assert demo.top(values, accuracies) == pytest.approx(70)
    assert demo.top([-value for value in values], accuracies) == pytest.approx(54)


def test_of_equal_values_any_may_be_taken(demo: Any) -> None:
    values = [2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 0.0]
    accuracies = [90.0, 90.0, 90.0, 90.0, 80.0, 40.0, 0.0]
    assert demo.top(values, accuracies) == pytest.approx((4 * 90 + 60) / 5)


def test_the_winner_is_looked_up(demo: Any) -> None:
    best, third = (demo.cells("nasbench201-best")[place]["architecture"] for place in (0, 2))
    assert "94.37 %, rank 1 of all 15,625" in demo.looked_up(SPACE, best)
    assert "94.36 %, rank 3 of all 15,625; the best has 94.37 %" in demo.looked_up(SPACE, third)
    ranked = {row["architecture"] for row in demo.cells("nasbench201-best")}
    drawn = next(row for row in demo.cells("nasbench201") if row["architecture"] not in ranked)
    told = demo.looked_up(SPACE, drawn["architecture"])
    assert f"{float(drawn['test_cifar10']):.2f} %; it is not among the 64 best" in told


@pytest.mark.slow
def test_a_winner_of_which_only_an_isomorphic_cell_is_listed(demo: Any) -> None:
    listed = {
        row["architecture"]
        for name in ("nasbench201", "nasbench201-best")
        for row in demo.cells(name)
    }
    row = next(row for row in demo.cells("nasbench201-best") if int(row["isomorphic"]) > 2)
    form = SPACE.canonical(row["architecture"])
    other = next(cell for cell in SPACE if cell not in listed and SPACE.canonical(cell) == form)
    told = demo.looked_up(SPACE, other)
    assert f"{float(row['isomorphic_mean']):.2f} %, mean of {row['isomorphic']}" in told
    assert "rank" not in told


def test_a_winner_that_is_not_listed(demo: Any) -> None:
    files = ("nasbench201", "nasbench201-best")
    forms = {SPACE.canonical(row["architecture"]) for name in files for row in demo.cells(name)}
    other = next(cell for cell in SPACE if SPACE.canonical(cell) not in forms)
    assert demo.looked_up(SPACE, other) == (
        "It is not among the 64 best of all 15,625, nor among the 256 drawn."
    )
