"""A measure of one's own is used wherever those of the package are."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from support.small_net import SmallNet
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext import measures
from swapnas_ext.cli import main
from swapnas_ext.correlation.accuracy_table import read_table
from swapnas_ext.correlation.correlations import predictors, scored_rows
from swapnas_ext.measures import Measure, Measurement, PreparedNetwork, registry
from swapnas_ext.measures.patterns import Patterns
from swapnas_ext.patterns import Observer
from swapnas_ext.search import RunFile, SearchSettings, calibrate, score_listed, search

IMAGES = torch.randn(8, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Active(Observer):
    """How many neurons are active."""

    def __init__(self, samples: int, ternary: bool) -> None:
        super().__init__(samples, ternary)
        self.active = self.all = 0

    def update(self, x: Tensor) -> None:
        self.active += int((x > 0).sum())
        self.all += x.numel()


class Activity(Measure[float]):
    """The part of the activations that are positive, on the samples and on noise."""

    name = "activity"
    title = "active part"
    description = "the active part of the neurons"
    default_init = "kaiming"

    def read(self, network: PreparedNetwork) -> float:
        observer = Active(network.samples, network.ternary)
        network.run(observer)
        network.run(observer, network.noise(network.generator(1)))
        return math.log(observer.active / observer.all)

    def summary(self, readings: Sequence[float], network: PreparedNetwork) -> Measurement:
        return Measurement.of_logarithms(
            readings, details={"halves": len(readings)}, saturated=readings[0] > math.log(0.99)
        )


def log_parameters(network: PreparedNetwork) -> float:
    return math.log(network.parameters)


@pytest.fixture
def registered() -> Iterator[None]:
    known = registry._registry._registered
    before = dict(known)
    measures.register(Activity)
    measures.register(log_parameters)
    yield
    known.clear()
    known.update(before)


def test_a_name_a_class_an_object_a_function_and_a_place(registered: None) -> None:
    for measure in ("activity", Activity, Activity(), f"{__name__}:Activity"):
        score = swap.score(SmallNet(), IMAGES, init="gaussian", repeats=3, measure=measure)
        assert score.measure == "activity" and 0 < score < 1
        assert score.patterns == () and math.isnan(score.mean) and math.isnan(score.saturation)
        assert score.repeats == 3 and 0 < score.spread < score.measured
        assert score.neurons == 2 * 8 * 12 * 12 and score.measurement.details == {"halves": 3}
        assert not score.is_saturated and pickle.loads(pickle.dumps(score)) == score
        assert "repeats=3" in repr(score) and "mean" not in repr(score)
    for measure in ("log_parameters", log_parameters, f"{__name__}:log_parameters"):
        score = swap.score(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), IMAGES, measure=measure)
        assert float(score) == pytest.approx(16)


def test_the_published_measure_has_two_names() -> None:
    assert type(measures.get("swap")) is type(measures.get("patterns"))
    with pytest.raises(ValueError, match="the measure 'patterns' has the name 'swap' too"):

        @measures.register
        def swap(network: measures.PreparedNetwork) -> float:
            return 0.0


def test_names_that_are_taken_or_unknown(registered: None) -> None:
    measures.register(Activity)  # as where its module is imported again
    with pytest.raises(ValueError, match="there is a measure 'patterns' already"):
        measures.register(type("Other", (Activity,), {"name": "patterns"}))
    with pytest.raises(ValueError, match=r"must be one of patterns, capacity, .*, activity"):
        measures.get("activities")
    with pytest.raises(TypeError, match="must be a name, a Measure, or a function"):
        measures.get(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a name, a Measure, or a function"):
        measures.get(nn.ReLU)  # type: ignore[arg-type]


def test_packages_offer_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("offered", f"{__name__}:Activity", "swapnas_ext.measures")
    known_before = measures.names()
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point])
    known = registry._registry._registered
    monkeypatch.setattr(registry._registry, "_registered", dict(known))
    assert measures.names() == (*known_before, "offered")
    assert known_before[0] == "patterns"
    assert isinstance(measures.get("offered"), Activity)


def test_readings_that_are_no_numbers() -> None:
    with pytest.raises(ValueError, match="gave nan: expected a finite logarithm"):
        swap.score(SmallNet(), IMAGES, measure=lambda network: math.nan)


def test_tolerance_goes_by_the_measure(registered: None) -> None:
    options = {"init": "gaussian", "repeats": 50, "measure": "activity"}
    score = swap.score(SmallNet(), IMAGES, tolerance=0.02, **options)
    assert 3 <= score.repeats < 50
    assert score.measurement.standard_error <= 0.02


def test_replicates_ask_for_what_they_need() -> None:
    class Eager(Activity):
        name = "eager"
        replicates = True

    with pytest.raises(NotImplementedError, match="the measure 'eager' reads one repeat at a time"):
        Eager().read_replicates(None)  # type: ignore[arg-type]
    scorer = swap.Scorer(IMAGES, init="gaussian", repeats=4, measure=Eager())
    score = scorer(SmallNet())
    assert score.repeats == 4
    assert any("reads one repeat at a time" in note for note in score.notes)


@pytest.mark.slow
def test_a_search_and_its_run_file(registered: None, tmp_path: Path) -> None:
    space = swap.spaces.get("nasbench201", channels=4, cells=1)
    scorer = swap.Scorer(space.inputs(4), init="kaiming", measure="activity", repeats=2)
    path = tmp_path / "run.db"
    settings = SearchSettings(candidates=12, population=4, tournament=2, children=2)
    found = search(space, scorer, settings, workers=1, history=path)
    with RunFile.read(path) as run_file:
        candidates = run_file.candidates()
        assert run_file.settings["scorer"]["measure"] == "activity"
    assert candidates == list(found.candidates)
    for candidate in candidates:
        assert candidate.outcome is not None and candidate.outcome.measure == "activity"
        assert candidate.score == pytest.approx(math.exp(candidate.log_score))
        assert candidate.outcome.details == {"halves": 2}
        assert candidate.outcome.spread is not None and math.isnan(candidate.patterns)
    with pytest.raises(ValueError, match="was made with measure=activity, not patterns"):
        search(space, swap.Scorer(space.inputs(4), init="kaiming"), settings, history=path)
    shown = CliRunner().invoke(main, ["show", str(path), "--json"])
    assert json.loads(shown.stdout)["best"][0]["score"] == pytest.approx(found.best.score)
    for command in (["show", str(path)], ["analyze", str(path)]):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
    control, _ = calibrate(space, scorer, samples=12)
    assert control.sigma is not None and control.sigma > 0


def test_a_table_of_accuracies(registered: None, tmp_path: Path) -> None:
    space = swap.spaces.get("nasbench201", channels=4, cells=1)
    import random

    rng = random.Random(0)
    texts = [space.sample(rng) for _ in range(6)]
    path = tmp_path / "table.csv"
    path.write_text("architecture,accuracy\n" + "".join(f"{t},{i}\n" for i, t in enumerate(texts)))
    scorer = swap.Scorer(space.inputs(4), init="kaiming", measure="activity")
    scores = score_listed(space, scorer, texts)
    rows, _ = scored_rows(read_table(path, space), space, scores)
    found = predictors(rows, None)
    assert list(found) == ["active part", "parameters", "FLOPs"]
    assert found["active part"] == [row.candidate.log_score for row in rows]


def test_the_command_line(registered: None, tmp_path: Path) -> None:
    cell = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|"
    command = [
        "score",
        "--space",
        "nasbench201",
        "--arch",
        cell,
        "--samples",
        "4",
        "--repeats",
        "2",
    ]
    done = CliRunner().invoke(main, [*command, "--measure", "activity", "--format", "json"])
    (row,) = json.loads(done.stdout)
    assert 0 < row["score"] < 1 and row["patterns_mean"] is None and row["saturation"] is None
    assert row["score_std"] > 0
    done = CliRunner().invoke(main, [*command, "--measure", f"{__name__}:Activity"])
    assert done.exit_code == 0 and "±" in done.stdout
    done = CliRunner().invoke(main, [*command, "--measure", "activities"])
    assert done.exit_code == 2 and "measure must be one of" in done.output


def test_the_example_of_the_docs(registered: None) -> None:
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    exec(compile(code, "architecture.md", "exec"), {"model": SmallNet(), "images": IMAGES})
    assert "active" in measures.names()


class Broken(Activity):
    name = "broken"

    def __init__(self, summary: object) -> None:
        self._summary = summary

    def summary(self, readings: Sequence[float], network: PreparedNetwork) -> Any:
        return self._summary


@pytest.mark.parametrize(
    ("measure", "problem"),
    [
        (Broken(1.0), "summary of the measure 'broken' must be a Measurement, got float"),
        (Broken(Measurement(math.nan, 1.0)), "'broken' gave a log_value that is not a number"),
        (lambda network: "abc", "gave 'abc': expected the logarithm of a score, a number"),
        (lambda network: 1e308, "logarithms of scores are too large"),
    ],
)
def test_what_is_no_measurement(measure: Any, problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        swap.score(SmallNet(), IMAGES, init="gaussian", repeats=4, measure=measure)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_readings_of_replicates_are_counted(count: int) -> None:
    class Miscounts(Patterns):
        name = "miscounts"

        def read_replicates(self, network: PreparedNetwork) -> list[int]:
            return count * super().read_replicates(network)[:1]

        def read(self, network: PreparedNetwork) -> int:
            return super().read_replicates(network)[0]

    with pytest.raises(ValueError, match=f"'miscounts' gave {count} readings of 3 replicates"):
        swap.score(SmallNet(), IMAGES, init="gaussian", repeats=4, measure=Miscounts())


def test_details_that_no_run_file_can_keep() -> None:
    space = swap.spaces.get("nasbench201", channels=4, cells=1)
    broken = Broken(Measurement(1.0, math.e, details={"set": {1}}))
    scorer = swap.Scorer(space.inputs(4), init="kaiming", measure=broken)
    with pytest.raises(RuntimeError, match="TypeError: Object of type set is not JSON"):
        search(space, scorer, SearchSettings(candidates=4, population=2, children=2))


@pytest.mark.parametrize("shift", [1000.0, -2000.0])
def test_logarithms_that_no_float_is_the_exponential_of(shift: float, tmp_path: Path) -> None:
    def shifted(network: PreparedNetwork) -> float:
        return shift + math.log(network.parameters)

    space = swap.spaces.get("nasbench201", channels=4, cells=1)
    scorer = swap.Scorer(space.inputs(4), init="kaiming", measure=shifted)
    path = tmp_path / "run.db"
    settings = SearchSettings(candidates=8, population=4, tournament=2, children=2)
    found = search(space, scorer, settings, history=path)
    assert found.best.log_score == max(candidate.log_score for candidate in found.candidates)
    assert found.best.score == (math.inf if shift > 0 else 0.0)
    with RunFile.read(path) as run_file:
        assert run_file.candidates() == list(found.candidates)
    assert search(space, scorer, settings, history=path).best == found.best
    for command in (["show", str(path)], ["show", str(path), "--json"], ["analyze", str(path)]):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
