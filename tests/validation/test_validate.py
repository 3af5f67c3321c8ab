"""Networks of a run are trained, and judge its scores."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.classes import write_classes
from support.searches import drive, small_space
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.correlation import ranking
from swapnas_ext.report.validation.text import to_text
from swapnas_ext.search import Candidate, SearchResult, SearchSettings
from swapnas_ext.validation import Progress, Validation, validate
from swapnas_ext.validation import plan as planning
from swapnas_ext.validation.choosing import choose


@pytest.fixture(autouse=True)
def three_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time decides nothing then."""
    monkeypatch.setattr(planning, "_MOST_EPOCHS", 3)
    monkeypatch.setattr(ranking, "_MANY", 0)  # fewer resamples
    monkeypatch.setattr(planning, "FEWEST_STEPS", 1)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("images") / "colours")


@pytest.fixture(scope="module")
def run() -> SearchResult:
    return drive(SearchSettings(candidates=12, strategy="random")).result()


def validated(run: SearchResult, images: Path, **options: Any) -> Validation:
    options = {"networks": 4, "size": 8, **options}
    return validate(run, small_space(), images, **options)


def accuracies(found: Validation) -> list[tuple[int, float | None]]:
    return [(one.place, one.accuracy) for one in found.networks]


@pytest.mark.slow
def test_what_is_told(run: SearchResult, images: Path) -> None:
    calls: list[Progress] = []
    found = validated(run, images, networks=6, on_progress=calls.append)
    assert (found.chosen, found.among, found.classes) == (6, 12, 3)
    assert (found.train_images, found.held_out_images, found.found_images) == (48, 12, 60)
    assert (found.plan.steps, found.plan.batch, found.plan.epochs) == (3, 48, 3)
    assert [one.place for one in found.networks] == [1, 2, 6, 7, 11, 12]
    assert [one.group for one in found.networks] == ["best"] * 2 + ["middle"] * 2 + ["worst"] * 2
    space = small_space()
    by_architecture = {row.architecture: row for row in run.ranked()}
    for one in found.networks:
        assert one.log_score == by_architecture[one.architecture].log_score
        assert one.parameters == space.size(one.architecture) - 7 * 9  # 3 classes for 10
        assert one.accuracy is not None and one.accuracy * 12 / 100 == pytest.approx(
            round(one.accuracy * 12 / 100)
        )
    assert not found.interrupted and found.images_per_second > 0
    phases = [call.phase for call in calls]
    assert list(dict.fromkeys(phases)) == ["reading images", "timing", "training"]
    assert calls[-1].done == calls[-1].total == 18


@pytest.mark.slow
def test_advice_on_wide_intervals(run: SearchResult, images: Path) -> None:
    few = validated(run, images, networks=3)
    assert "more --networks make" in to_text(few)
    begun = to_text(replace(few, networks=few.networks[:2]))
    assert "intervals are wide" in begun and "narrower" not in begun
    assert "more candidates in the run make" in to_text(validated(run, images, networks=20))


def test_scores_of_another_measure_are_not_ranked(run: SearchResult) -> None:
    worst = run.ranked()[-1].candidate
    assert worst.outcome is not None
    found = {"measures": {"zen": {"error": "no"}, "patterns": {}}, "score_of": "patterns"}
    first = {"measures": {"zen": {}, "patterns": {}}}
    candidates = [
        replace(one, outcome=replace(one.outcome, details=found if one is worst else first))
        for one in run.candidates
        if one.outcome is not None
    ]
    places = [
        choice.ranked.architecture for choice in choose(SearchResult(candidates, run.controls), 20)
    ]
    assert len(places) == 11 and worst.architecture not in places


@pytest.mark.slow
def test_one_seed_one_result(run: SearchResult, images: Path) -> None:
    torch.manual_seed(1)
    first = validated(run, images)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert accuracies(validated(run, images)) == accuracies(first)
    assert torch.equal(torch.get_rng_state(), state)
    weights = [network_weights(seed) for seed in (0, 1)]
    assert not torch.equal(*weights)


def network_weights(seed: int) -> Tensor:
    from swapnas_ext.models import own_random_state

    space = small_space()
    with own_random_state(torch.device("cpu")) as reseed:
        reseed(seed)
        return next(space.build(space.sample(random.Random(0))).parameters())


@pytest.mark.slow
def test_continues_after_an_interruption(run: SearchResult, images: Path, tmp_path: Path) -> None:
    whole = validated(run, images)
    record = tmp_path / "record.json"

    def interrupt(progress: Progress) -> None:
        if len(progress.trained) == 2 and progress.done > 7:
            raise KeyboardInterrupt

    part = validated(run, images, record=record, on_progress=interrupt)
    assert part.interrupted and len(part.networks) == 2
    assert {one.group for one in part.networks} == {"best", "worst"}
    kept = json.loads(record.read_text())["trained"]
    assert len(kept) == 2
    calls: list[Progress] = []
    rest = validated(run, images, record=record, on_progress=calls.append)
    assert [call.done for call in calls if call.phase == "training"] == [
        6,
        7,
        8,
        9,
        9,
        10,
        11,
        12,
        12,
    ]
    assert not any(call.phase == "timing" for call in calls)
    assert accuracies(rest) == accuracies(whole)
    assert json.loads(record.read_text())["trained"][:2] == kept
    calls.clear()
    again = validated(run, images, record=record, on_progress=calls.append)
    assert accuracies(again) == accuracies(whole)
    assert [call.done for call in calls if call.phase == "training"] == [12]


@pytest.mark.slow
def test_the_time_is_over(
    run: SearchResult, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    clock = SimpleNamespace(perf_counter=lambda: now)
    monkeypatch.setattr(sys.modules[validate.__module__], "time", clock)

    def pass_time(progress: Progress) -> None:
        nonlocal now
        now += 400.0 if progress.phase == "training" and progress.done % 3 == 0 else 0.0

    options: dict[str, Any] = {"networks": 6, "record": tmp_path / "record.json"}
    part = validated(run, images, **options, on_progress=pass_time)
    assert len(part.networks) == 3 and not part.interrupted and not part.complete
    assert {one.group for one in part.networks} == {"best", "middle", "worst"}
    rest = validated(run, images, **options)
    assert rest.complete and len(rest.networks) == 6
    assert set(accuracies(part)) < set(accuracies(rest))


@pytest.mark.slow
def test_networks_that_are_far_too_large_are_found_out_soon(
    run: SearchResult, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their record is no obstacle to another try."""
    record = tmp_path / "record.json"
    calls: list[Progress] = []
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules[validate.__module__], "FEWEST_STEPS", 10**6)
        patched.setattr(planning, "FEWEST_STEPS", 10**6)
        with pytest.raises(ValueError, match="of 9 networks; 1000000 are the least"):
            validated(run, images, networks=9, minutes=1, record=record, on_progress=calls.append)
    assert [call.done for call in calls if call.phase == "timing"] == [0]
    assert validated(run, images, networks=3, record=record).complete


def test_an_early_interruption_is_one(run: SearchResult, images: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.phase == "timing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        validated(run, images, on_progress=interrupt)


@pytest.mark.slow
def test_a_record_of_other_settings(run: SearchResult, images: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    first = validated(run, images, networks=3, record=record)
    before = record.read_bytes()
    for options, problem in (
        ({"minutes": 1.0}, r"another setting of minutes \(20.0, not 1.0\)"),
        ({"size": 9}, r"another setting of size \(8, not 9\)"),
        ({"seed": 1}, r"seed \(0, not 1\)"),
        ({"networks": 4}, "architectures: give the same to continue it, choose another file"),
    ):
        with pytest.raises(ValueError, match=problem):
            validated(run, images, **{"networks": 3, "record": record, **options})
        assert record.read_bytes() == before
    more = write_classes(tmp_path / "more", images=21)
    with pytest.raises(ValueError, match="another setting of images: give the same"):
        validated(run, more, networks=3, record=record)
    other = validated(run, images, networks=3, seed=1, record=record, again=True)
    assert other.seed == 1 and len(other.networks) == len(first.networks)
    assert record.read_bytes() != before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "as JSON"),
        ("[]", "is no record of a validation"),
        ('{"validation": 1}', "is damaged"),
        (
            '{"validation": 1, "settings": {}, "plan": {"steps": 1}, "trained": [], "seconds": 0}',
            "is damaged",
        ),
    ],
)
def test_a_damaged_record(
    run: SearchResult, images: Path, tmp_path: Path, text: str, problem: str
) -> None:
    record = tmp_path / "record.json"
    record.write_text(text)
    with pytest.raises(ValueError, match=problem):
        validated(run, images, record=record)
    assert record.read_text() == text


class Failing(swap.spaces.space_class("nasbench201")):  # type: ignore[misc]
    """Some networks fail: in building, and by a loss that is NaN."""

    def __init__(self, broken: str, diverging: str) -> None:
        super().__init__(channels=2, cells=1)
        self.broken, self.diverging = broken, diverging

    def _build(self, architecture: str) -> nn.Module:
        if architecture == self.broken:
            raise OSError("no weights")
        network = super()._build(architecture)
        if architecture == self.diverging:
            with torch.no_grad():
                next(network.parameters()).fill_(float("nan"))
        return network


@pytest.mark.slow
def test_networks_that_fail(run: SearchResult, images: Path) -> None:
    ranked = run.ranked()
    space = Failing(ranked[0].architecture, ranked[-1].architecture)
    found = validate(run, space, images, networks=6, size=8)
    assert len(found.networks) == 6 and len(found.trained) == 4
    assert next((one.place, one.error) for one in found.failed) == (1, "OSError: no weights")
    assert "DivergedError: the loss is nan" in str(found.failed[1].error)
    assert found.rankings[0].rows == 4


def test_nothing_can_be_trained(run: SearchResult, images: Path) -> None:
    class Flat(Failing):
        def _build(self, architecture: str) -> nn.Module:
            return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))

    with pytest.raises(
        RuntimeError,
        match=r"none of the 4 networks can be .* of 8 pixels; try another size; the first: Run",
    ):
        validate(run, Flat("", ""), images, networks=4, size=8)


@pytest.mark.slow
def test_scores_that_rank(run: SearchResult, images: Path) -> None:
    """Verdicts follow the interval of rho."""
    found = validated(run, images, networks=6)
    good = with_networks(found, [replace(one, accuracy=100 - one.place) for one in found.networks])
    assert good.verdict == "the score ranks on these images"
    assert [one.name for one in good.rankings] == ["score", "parameters"]
    assert good.rankings[0].rho.value == pytest.approx(1)
    bad = with_networks(found, [replace(one, accuracy=50 + one.place) for one in found.networks])
    assert bad.verdict == "the score ranks these networks the wrong way round"
    three = with_networks(found, good.networks[::2])
    assert three.rankings[0].rho.value == pytest.approx(1)
    assert three.verdict.startswith("no evidence")
    same = with_networks(found, [replace(one, accuracy=50.0) for one in found.networks])
    assert same.verdict.startswith("no evidence")
    assert same.comparisons == []


@pytest.mark.slow
def test_other_measures_of_the_run(run: SearchResult, images: Path) -> None:
    """Each has a line of its own; one that is missing for a network has no part there."""
    worst = run.ranked()[-1].architecture

    def with_others(candidate: Candidate) -> Candidate:
        assert candidate.outcome is not None
        log_score = candidate.outcome.log_score or 0
        small = {"error": "no"} if candidate.architecture == worst else {"log_score": -log_score}
        found = {
            candidate.outcome.measure: {"log_score": log_score},
            "smallness": small,
            "params": {"log_score": 1.0},
        }
        return replace(candidate, outcome=replace(candidate.outcome, details={"measures": found}))

    several = replace(run, candidates=[with_others(one) for one in run.candidates])
    found = validated(several, images, networks=6)
    assert [one.name for one in found.rankings] == ["score", "smallness", "parameters"]
    assert [one.rows for one in found.rankings] == [6, 5, 6]
    good = with_networks(found, [replace(one, accuracy=100 - one.place) for one in found.networks])
    assert [one.rho.value for one in good.rankings[:2]] == pytest.approx([1, -1])
    assert "smallness - parameters" in to_text(good)


def with_networks(found: Validation, networks: Sequence[Any]) -> Validation:
    return replace(found, networks=networks)


def test_errors(run: SearchResult, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="minutes must be positive, got 0"):
        validated(run, images, minutes=0)
    with pytest.raises(ValueError, match=r"FlexiBERT take int64 \[2, 64\], not images"):
        validate(run, swap.spaces.get("flexibert"), images)
    monkeypatch.setattr(planning, "FEWEST_STEPS", 20)
    with pytest.raises(ValueError, match="give fewer networks, more minutes, a smaller size"):
        validated(run, images, minutes=1e-5)
    few = write_classes(images.parent / "few", images=4)
    with pytest.raises(
        ValueError, match=r"class 'blue' of .* has 4 images that can be read: expected at least 5"
    ):
        validated(run, few)
