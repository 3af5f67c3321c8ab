"""What the logger tells of searches, and that it is silent unless asked."""

from __future__ import annotations

import logging
import random
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from support import house
from support.searches import SMALL, MadeUpWorker, small_scorer, small_space

import swapnas_ext as swap
from swapnas_ext.search import SearchSettings, calibrate, score_listed, search
from swapnas_ext.search.workers import Crew, dask_cluster
from swapnas_ext.search.workers.dask_cluster import DaskCluster

ROOT = "swapnas_ext"


def records(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == f"{ROOT}.{name}"]


def test_nothing_is_printed_unless_asked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    handlers = logging.getLogger(ROOT).handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)
    settings = SearchSettings(candidates=20, target_params=(1200.0,), calibration=8, **SMALL)
    failing = frozenset([small_space().sample(random.Random(1))])
    for _ in range(2):
        search(
            small_space(),
            small_scorer(),
            settings,
            workers=MadeUpWorker(failing),
            history=tmp_path / "run.db",
        )
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_a_search(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, ROOT)
    path = tmp_path / "run.db"
    settings = SearchSettings(candidates=20, target_params=(1200.0,), calibration=8, **SMALL)
    search(small_space(), small_scorer(), settings, workers=MadeUpWorker(), history=path)
    begin, end = records(caplog, "search.entry_points")
    assert begin == (
        "searches nasbench201 for 20 candidates with evolution, seed 0, measure patterns, workers: 1"
    )
    assert end == "the search is complete: 20 candidates, 20 scored"
    (calibrated,) = records(caplog, "search.driver")
    assert calibrated.startswith("calibrated for 1200 parameters with 8 scores: Control(mu=1.2, ")
    assert len(records(caplog, "search.candidate")) == 20
    assert records(caplog, "search.start") == []
    caplog.clear()
    more = SearchSettings(candidates=25, target_params=(1200.0,), calibration=8, **SMALL)
    search(small_space(), small_scorer(), more, workers=MadeUpWorker(), history=path)
    assert records(caplog, "search.start") == [f"{path} goes on from 20 candidates"]
    assert len(records(caplog, "search.candidate")) == 5


def test_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, ROOT)
    worker = MadeUpWorker()
    architectures = [
        "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|",
        "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|skip_connect~1|nor_conv_3x3~2|",
    ]
    worker._failing = frozenset(architectures[:1])
    score_listed(small_space(), small_scorer(), architectures, workers=worker)
    assert records(caplog, "search.listing") == ["scores 2 of 2 networks; the others are recorded"]
    (failed,) = records(caplog, "search.candidate")
    assert failed.endswith(" could not be scored: ValueError: it does not like this one")
    caplog.clear()
    calibrate(small_space(), small_scorer(), samples=8, workers=MadeUpWorker())
    assert records(caplog, "search.entry_points")[-1].startswith("calibrated with 8 scores: ")
    assert {one.levelno for one in caplog.records} == {logging.INFO}


def test_a_worker_that_dies_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    crew = Crew([MadeUpWorker()])
    crew._count_death(RuntimeError("no memory"), before_work=True)
    crew._count_death(RuntimeError("no memory"), before_work=False)
    assert [one.levelno for one in caplog.records] == [logging.WARNING] * 2
    assert all(
        "started again: no memory" in text for text in records(caplog, "search.workers.crew")
    )


def test_idle_threads_of_a_cluster_are_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SimpleNamespace(nthreads=lambda: {"a": 4, "b": 1}, close=lambda: None)
    monkeypatch.setattr(dask_cluster, "_connected", lambda address, security: client)
    monkeypatch.setattr(dask_cluster, "DaskScoring", lambda *_, **__: None)
    found = dask_cluster._of_address(
        b"", DaskCluster(2, address="tcp://head:8786"), "tcp://head:8786"
    )
    assert len(found) == 2
    (told,) = records(caplog, "search.workers.dask_cluster")
    assert told.startswith("some workers of the Dask cluster at tcp://head:8786 have 4 threads")


def test_a_score_and_its_notes(caplog: pytest.LogCaptureFixture, small_net: object) -> None:
    caplog.set_level(logging.DEBUG, ROOT)
    scorer = swap.Scorer(swap.data.photograph(16, 16))
    scorer(small_net)  # type: ignore[arg-type]
    (told,) = records(caplog, "scoring.scorer")
    assert told.startswith("SmallNet: ") and told.endswith(" ms")


def test_loggers_have_the_names_of_their_modules() -> None:
    for path in house.files():
        if path.parent.name != "cli":  # which sets up the logger of the package
            names = re.findall(r"\bgetLogger\((.*?)\)", path.read_text())
            assert names in ([], ["__name__"]), path
