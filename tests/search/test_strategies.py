"""Strategies by name, and of one's own."""

from __future__ import annotations

import functools
import json
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.searches import SMALL, drive, essence, small_scorer, small_space

from swapnas_ext.cli import main
from swapnas_ext.search import (
    STRATEGIES,
    Progress,
    Proposal,
    RunFile,
    SearchSettings,
    calibrate,
    evolve,
    register_strategy,
    score_listed,
    search,
)
from swapnas_ext.search.strategies import RandomSearch
from swapnas_ext.search.strategies import registry as strategies

MADE = SearchSettings(candidates=20, seed=1, **SMALL)


class Own(RandomSearch):
    """As random search with chunks of ``children``."""

    def __init__(self, space: Any, rng: random.Random, settings: SearchSettings) -> None:
        super().__init__(space, rng, settings.children)


def own(space: Any, rng: random.Random, settings: SearchSettings, chunk: int = 3) -> Any:
    return RandomSearch(space, rng, chunk)


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategies._registry, "_registered", dict(strategies._registry._registered))


@pytest.fixture
def random_candidates() -> list[Any]:
    return essence(drive(replace(MADE, strategy="random")).result().candidates)


def test_names_that_come_along() -> None:
    assert STRATEGIES == ("evolution", "ageing", "random", "optuna")


@pytest.mark.parametrize("strategy", [Own, own, functools.partial(own, chunk=3), f"{__name__}:Own"])
def test_strategies_of_ones_own(strategy: Any, random_candidates: list[Any]) -> None:
    assert essence(drive(replace(MADE, strategy=strategy)).result().candidates) == (
        random_candidates
    )


def test_registered(random_candidates: list[Any]) -> None:
    assert register_strategy("mine")(Own) is Own
    register_strategy("mine")(Own)  # a cell of a notebook that runs again
    made = replace(MADE, strategy="mine")
    assert essence(drive(made).result().candidates) == random_candidates
    assert made.for_json()["strategy"] == "mine"
    assert replace(MADE, strategy=Own).for_json()["strategy"] == "mine"
    with pytest.raises(ValueError, match=r"there is a strategy 'mine' already: .*:Own"):
        register_strategy("mine")(own)
    with pytest.raises(ValueError, match="give a name without colon"):
        register_strategy("my:strategy")


def test_of_an_installed_package(
    monkeypatch: pytest.MonkeyPatch, random_candidates: list[Any]
) -> None:
    points = [
        EntryPoint("theirs", f"{__name__}:Own", "swapnas_ext.strategies"),
        EntryPoint("broken", "no_such_module:Own", "swapnas_ext.strategies"),
    ]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    made = replace(MADE, strategy="theirs")
    assert essence(drive(made).result().candidates) == random_candidates
    with pytest.raises(ImportError, match=r"'broken' of an installed package .* can't be imported"):
        replace(MADE, strategy="broken")
    with pytest.raises(ValueError, match=r"one of evolution, .*theirs, broken, or MODULE:NAME"):
        replace(MADE, strategy="neither")


@pytest.mark.parametrize(
    ("strategy", "kind", "problem"),
    [
        ("json:none", ValueError, "strategy json:none: json has no 'none'"),
        ("no_such_module:Own", ImportError, "no_such_module"),
        (3, TypeError, "strategy must be a name, or a class or function"),
        (RandomSearch(small_space(), random.Random()), TypeError, "give its class, since each"),
    ],
)
def test_no_strategies(strategy: Any, kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind, match=problem):
        replace(MADE, strategy=strategy)


class Fails(Own):
    def __init__(self, *args: Any) -> None:
        raise LookupError("no weights")


class Stumbles(Own):
    def tell(self, proposal: Proposal, individuals: Any) -> None:
        raise LookupError("lost")


class Unasked(Own):
    def ask(self, most: int, admit: Callable[[str], bool]) -> Proposal | None:
        return Proposal((self._space.sample(self._rng),))


class Greedy(Own):
    def ask(self, most: int, admit: Callable[[str], bool]) -> Proposal | None:
        return super().ask(most, admit) and Proposal(())


@pytest.mark.parametrize(
    ("strategy", "kind", "problem"),
    [
        (Fails, RuntimeError, r"strategy test_strategies:Fails can't be made .* LookupError: no"),
        (lambda *_: 3, TypeError, "makes int, which has no methods ask and tell"),
        (Stumbles, RuntimeError, r"Stumbles fails: LookupError: lost \(.*\.py, line \d+\)"),
        (Unasked, ValueError, "which was not admitted"),
        (Greedy, ValueError, "asked for 1 to 20 architectures, and proposed 0"),
    ],
)
def test_strategies_that_do_what_they_may_not(
    strategy: Any, kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind, match=problem):
        drive(replace(MADE, strategy=strategy))


def test_a_run_goes_on_with_its_own_strategy_only(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    arguments = (small_space(), small_scorer())
    made = replace(MADE, candidates=9, strategy=Own)
    first = search(*arguments, made, history=path)
    with RunFile.read(path) as run_file:
        assert run_file.settings["search"]["strategy"] == "test_strategies:Own"
    longer = search(*arguments, replace(made, candidates=12), history=path)
    assert essence(longer.candidates[:9]) == essence(first.candidates)
    by_name = replace(made, candidates=14, strategy="test_strategies:Own")
    assert len(search(*arguments, by_name, history=path).candidates) == 14
    for other, name in ((own, "test_strategies:own"), ("random", "random")):
        with pytest.raises(
            ValueError, match=f"made with strategy=test_strategies:Own, not {name}; choose another"
        ):
            search(*arguments, replace(made, strategy=other), history=path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["search", *map(str, arguments)])


def test_from_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    small = ("--space", "nasbench201", "--channels", 2, "--cells", 1, "--samples", 8)
    made = (*small, "--candidates", 6, "--workers", 1, "--run", path)
    result = run(*made, "--strategy", "luck")
    assert result.exit_code == 2
    assert "strategy must be one of evolution, ageing, random, optuna" in result.stderr
    assert not path.exists()
    result = run(*made, "--strategy", "test_strategies:Own")
    assert result.exit_code == 0, result.output
    more = ("--resume", path, "--candidates", 8, "--workers", 1)
    result = run(*more)  # what a run file names is not imported unasked
    assert result.exit_code == 2
    assert "of your own: give --strategy test_strategies:Own too" in result.stderr
    result = run(*more, "--strategy", "random")
    assert "made with strategy=test_strategies:Own, not random" in result.stderr
    result = run(*more, "--strategy", "test_strategies:Own")
    assert result.exit_code == 0, result.output
    shown = CliRunner().invoke(main, ["show", str(path), "--json"])
    assert json.loads(shown.stdout)["settings"]["search"]["strategy"] == "test_strategies:Own"


def test_the_old_name_of_on_progress(tmp_path: Path) -> None:
    """Works, and warns at the caller's line."""
    space, scorer, told = small_space(), small_scorer(), []
    few = replace(MADE, candidates=4)

    def calls() -> Iterator[Callable[[], Any]]:
        yield lambda: search(space, scorer, few, report=told.append)
        yield lambda: evolve(space, scorer, population=2, cycles=1, report=told.append)
        yield lambda: calibrate(space, scorer, samples=10, report=told.append)
        yield lambda: score_listed(space, scorer, [space.sample(random)], report=told.append)  # type: ignore[arg-type]

    for call in calls():
        told.clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        (warning,) = [w for w in caught if w.category is DeprecationWarning]
        assert str(warning.message) == "report= is now called on_progress="
        assert warning.filename == __file__
        assert told and all(isinstance(progress, Progress) for progress in told)
    with pytest.raises(TypeError, match="give on_progress= alone"):
        search(space, scorer, few, report=told.append, on_progress=told.append)
