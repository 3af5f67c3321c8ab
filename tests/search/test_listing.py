"""Scoring given architectures: each form once, into a run file that any later list goes on with."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import torch
from support.searches import MadeUpWorker, made_up_score, small_scorer, small_space
from torch.utils.flop_counter import FlopCounterMode

import swapnas_ext as swap
from swapnas_ext.search import Outcome, RunFile, RunFileError, SearchResult, listing
from swapnas_ext.search.evaluation import Evaluator, one_thread
from swapnas_ext.search.listing import score_listed
from swapnas_ext.search.progress import Progress

SPACE = small_space()
TWINS = (
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
    "|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
)


def some(count: int) -> list[str]:
    """Of different forms, none of which is that of the twins."""
    rng = random.Random(0)
    found = {SPACE.canonical(TWINS[0]): TWINS[0]}
    while len(found) <= count:
        text = SPACE.sample(rng)
        found.setdefault(SPACE.canonical(text), text)
    return list(found.values())[1:]


@pytest.fixture
def hired(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Those that score, with made-up scores; a test may put others in."""
    workers: list[Any] = [MadeUpWorker()]
    monkeypatch.setattr(listing, "hire", lambda evaluator, number: workers)
    return workers


def run(
    architectures: Sequence[str],
    path: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> SearchResult:
    return score_listed(SPACE, small_scorer(), architectures, history=path, on_progress=on_progress)


def scores(found: SearchResult) -> dict[str, float]:
    return {candidate.form: candidate.patterns for candidate in found.candidates}


def interrupt_after(count: int) -> Callable[[Progress], None]:
    def on_progress(progress: Progress) -> None:
        if progress.done >= count:
            raise KeyboardInterrupt

    return on_progress


@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_scores_are_those_of_the_scorer() -> None:
    texts = some(4)
    found = run(texts)
    assert [candidate.architecture for candidate in found.candidates] == texts
    with one_thread():
        for candidate in found.candidates:
            score = small_scorer()(SPACE.build(candidate.architecture))
            assert candidate.patterns == score.mean
            assert candidate.parameters == score.parameters
            assert candidate.outcome is not None
            assert candidate.outcome.saturation == score.saturation


def test_a_form_is_scored_once_as_its_smallest(hired: list[Any]) -> None:
    texts = [*some(6), *TWINS, *some(6), TWINS[0]]
    found = run(texts)
    assert hired[0].seen == [*some(6), TWINS[1]]
    assert len(found.candidates) == 7
    assert found.candidates[-1].parameters == SPACE.size(TWINS[1]) < SPACE.size(TWINS[0])


def test_nothing_is_scored_twice(hired: list[Any], tmp_path: Path) -> None:
    texts, path = some(40), tmp_path / "run.db"
    run(texts[:25], path)
    assert hired[0].seen == texts[:25]
    hired[0].seen.clear()
    found = run(texts[::-1], path)  # in another order, and more of them
    assert sorted(hired[0].seen) == sorted(texts[25:])
    assert scores(found) == scores(run(texts))
    hired[0].seen.clear()
    fewer = run(texts[10:20], path)
    assert {candidate.architecture for candidate in fewer.candidates} == set(texts[10:20])
    assert hired[0].seen == []
    with RunFile.read(path) as run_file:
        assert len(run_file.candidates()) == 40
        assert run_file.about["ended"] == "complete"


def test_ctrl_c(hired: list[Any], tmp_path: Path) -> None:
    texts, path = some(40), tmp_path / "run.db"
    found = run(texts, path, interrupt_after(15))
    assert found.interrupted
    assert 15 <= len(found.candidates) < 40
    with RunFile.read(path) as run_file:
        assert SearchResult.of(run_file).interrupted
        assert len(run_file.candidates()) == len(found.candidates)
    hired[0].seen.clear()
    whole = run(texts, path)
    assert not whole.interrupted
    assert len(hired[0].seen) == 40 - len(found.candidates)
    assert scores(whole) == {SPACE.canonical(text): made_up_score(text) for text in texts}


def test_progress(hired: list[Any], tmp_path: Path) -> None:
    texts, path = some(40), tmp_path / "run.db"
    hired[:] = [MadeUpWorker(frozenset(texts[3:5]))]
    told: list[Progress] = []
    run(texts[:10], path, told.append)
    assert (told[-1].done, told[-1].total, told[-1].scored, told[-1].failed) == (10, 10, 10, 2)
    told.clear()
    run(texts, path, told.append)
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)
    assert (told[-1].done, told[-1].total, told[-1].scored, told[-1].failed) == (40, 40, 30, 2)


def test_networks_that_fail_are_kept(hired: list[Any], tmp_path: Path) -> None:
    texts, path = some(8), tmp_path / "run.db"
    hired[:] = [MadeUpWorker(frozenset(texts[2:4]))]
    found = run(texts, path)
    assert [candidate.architecture for candidate in found.failed] == texts[2:4]
    assert len(found.ranked()) == 6
    hired[:] = [MadeUpWorker()]
    assert len(run(texts, path).failed) == 2
    assert hired[0].seen == []


def test_nothing_to_score(hired: list[Any]) -> None:
    assert run([]).candidates == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"seed": 1}, "made with seed=0, not 1"),
        ({"repeats": 2}, "made with repeats=1, not 2"),
    ],
)
def test_other_settings_are_refused(
    options: dict[str, Any], problem: str, hired: list[Any], tmp_path: Path
) -> None:
    path = tmp_path / "run.db"
    run(some(6), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=problem):
        score_listed(SPACE, small_scorer(**options), some(8), history=path)
    with pytest.raises(ValueError, match="made with cells=1, not 2"):
        space = swap.spaces.get("nasbench201", channels=2, cells=2)
        score_listed(space, small_scorer(), some(8), history=path)
    assert path.read_bytes() == before


def test_a_file_that_is_none(hired: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are notes")
    with pytest.raises(RunFileError, match="not a run file"):
        run(some(6), path)
    assert path.read_text() == "these are notes"


def test_a_run_that_fails_at_once_leaves_no_file(hired: list[Any], tmp_path: Path) -> None:
    class Broken(MadeUpWorker):
        def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
            raise RuntimeError("it can't")

    hired[:] = [Broken()]
    path = tmp_path / "run.db"
    with pytest.raises(RuntimeError, match="it can't"):
        run(some(6), path)
    assert not path.exists()


# ---- FLOPs -----------------------------------------------------------------------------------------

CONVOLUTIONAL = {
    "darts": {"layers": 3},
    "nasbench101": {"channels": 4},
    "nasbench201": {"channels": 2, "cells": 1},
    "transnas-micro": {},
    "transnas-macro": {},
    "mobilenet": {},
    "nasbench-macro": {},
    "efficientnet": {},
}


def test_all_convolutional_spaces_are_tested() -> None:
    assert {*CONVOLUTIONAL, "flexibert", "autoformer"} == set(swap.spaces.names())


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_flops_are_those_that_torch_counts(name: str) -> None:
    space = swap.spaces.get(name, **CONVOLUTIONAL[name])
    architecture = space.sample(random.Random(1))
    inputs = torch.randn(2, 3, 32, 32)
    with torch.device("meta"):
        network = space.build(architecture)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(inputs.to("meta"))
    for options in ({}, {"repeats": 2}, {"repeats": 2, "max_memory": 1}):  # at once; one by one
        scorer = swap.Scorer(inputs, init="gaussian", **options)
        (outcome,) = Evaluator(space, scorer, count_flops=True)([architecture])
        assert outcome.error is None
        assert outcome.flops == counter.get_total_flops() / 2, options


@pytest.mark.slow
def test_flops_are_not_counted_unasked() -> None:
    (outcome,) = Evaluator(SPACE, small_scorer())(some(1))
    assert outcome.flops is None


class Slow(MadeUpWorker):
    """Is busy with its first part for good."""

    depth = 1
    busy = False

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        if self.busy or not architectures:
            return super().submit(architectures)
        self.busy = True
        return Future()


def test_one_goes_on_whatever_was_scored_when_it_was_interrupted(hired, tmp_path: Path) -> None:
    """With several workers, numbers of a run file have gaps."""
    texts, path = some(40), tmp_path / "run.db"
    hired[:] = [Slow(), MadeUpWorker()]
    found = run(texts, path, interrupt_after(15))
    assert found.interrupted
    assert texts[0] not in {candidate.architecture for candidate in found.candidates}
    hired[:] = [MadeUpWorker()]
    assert scores(run(texts, path)) == {SPACE.canonical(t): made_up_score(t) for t in texts}


def test_a_form_is_scored_as_the_smallest_of_all_that_may_be_asked_for(hired) -> None:
    space = small_space()
    # The second has a convolution that leads nowhere.
    small = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
    large = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
    assert space.canonical(small) == space.canonical(large)
    hired[:] = [MadeUpWorker()]
    scorer = small_scorer()
    alone = swap.search.score_listed(space, scorer, [large])
    assert [candidate.architecture for candidate in alone.candidates] == [large]
    others = [small, large, *some(5)]
    found = swap.search.score_listed(space, scorer, [large], among=others)
    assert [candidate.architecture for candidate in found.candidates] == [small]
