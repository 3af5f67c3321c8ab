"""Results that are held: loaded with their space, and the networks of their architectures."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.searches import SMALL, MadeUpWorker, small_scorer, small_space
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import swapnas_ext as swap
from swapnas_ext.search import (
    Candidate,
    Control,
    Outcome,
    Ranked,
    RunFile,
    SearchResult,
    SearchSettings,
    describe_space,
    final_networks,
    recorded_space,
    run_file_tables,
    search,
)
from swapnas_ext.search.latency import Latency
from swapnas_ext.search.run_file_rows import read_at_once
from swapnas_ext.spaces import SearchSpace
from swapnas_ext.spaces.nasbench201 import NASBench201

OTHER_OPTIONS: dict[str, dict[str, Any]] = {
    "darts": {"network": "cifar10", "channels": 8, "layers": 3, "classes": 7},
    "nasbench101": {"channels": 16, "stacks": 2, "cells": 1, "classes": 3},
    "nasbench201": {"dataset": "cifar100", "channels": 4, "cells": 2},
    "transnas-micro": {"channels": 8, "image_size": 64, "classes": 5},
    "transnas-macro": {"channels": 8, "image_size": 64, "classes": 5},
    "mobilenet": {"classes": 5, "resolution": 96},
    "flexibert": {"vocabulary": 100, "sequence_length": 16},
    "nasbench-macro": {"classes": 5, "resolution": 16},
    "efficientnet": {"classes": 5, "resolution": 64},
    "autoformer": {"supernet": "small", "classes": 5, "resolution": 32},
}


class OwnSpace(NASBench201):
    """A space that this package does not know by name."""


def made_up_run(path: Path, space: SearchSpace | None = None, **settings: Any) -> SearchResult:
    made = SearchSettings(candidates=30, **SMALL, **settings)
    return search(
        space or small_space(), small_scorer(), made, workers=MadeUpWorker(), history=path
    )


def test_load_gives_what_the_search_gave(tmp_path: Path) -> None:
    found = made_up_run(tmp_path / "run.db")
    loaded = swap.search.load(tmp_path / "run.db")
    by_text = swap.search.load(str(tmp_path / "run.db"))
    assert loaded.settings == by_text.settings == found.settings
    assert sorted(loaded.candidates, key=lambda one: one.number) == list(found.candidates)
    assert loaded.best == found.best and loaded.front == found.front
    assert describe_space(loaded.space) == describe_space(small_space())  # type: ignore[arg-type]
    assert found.space is not None and found.settings["device"] == "cpu"


@pytest.mark.parametrize("name", swap.spaces.names())
def test_every_named_space_is_made_again_with_its_options(name: str) -> None:
    for options in ({}, OTHER_OPTIONS[name]):
        space = swap.spaces.get(name, **options)
        recorded = {"space": describe_space(space)}
        again = recorded_space(recorded)
        assert again is not None and describe_space(again) == describe_space(space)
        assert describe_space(again.final()) == describe_space(space.final())


def of_one(space: SearchSpace | None, outcome: Outcome, **settings: Any) -> SearchResult:
    """The result of a search that has found one architecture of a small space."""
    architecture = small_space().sample(random.Random(0))
    candidate = Candidate(0, 0, architecture, "form", (), 7, outcome)
    return SearchResult([candidate], (Control(),), settings=settings, space=space)


def test_the_best_builds_the_final_network() -> None:
    space = swap.spaces.get("darts")
    architecture = space.sample(random.Random(0))
    parameters = space.final().size(architecture)
    candidate = Candidate(0, 0, architecture, "form", (), parameters, Outcome.of_patterns(5.0))
    result = SearchResult([candidate], (Control(),), space=space)
    network = result.best.build()
    assert sum(one.numel() for one in network.parameters()) == result.best.parameters
    assert all(one.device.type == "cpu" for one in network.parameters())


def test_without_a_space_the_error_says_what_to_give(tmp_path: Path) -> None:
    found = made_up_run(tmp_path / "run.db", OwnSpace(channels=2, cells=1))
    loaded = swap.search.load(tmp_path / "run.db")
    assert loaded.space is None and loaded.best == found.best
    for use in (Ranked.build, lambda row: row.flops, lambda row: row.latency):
        with pytest.raises(ValueError, match=r"space='.*:OwnSpace'"):
            use(loaded.best)
    with pytest.raises(ValueError, match="give it, as in"):
        of_one(None, Outcome.of_patterns(5.0)).best.build()


def test_a_space_of_ones_own_is_given_as_object_or_by_name(tmp_path: Path) -> None:
    space = OwnSpace(channels=2, cells=1)
    made_up_run(tmp_path / "run.db", space)
    for given in (space, f"{__name__}:OwnSpace"):
        loaded = swap.search.load(tmp_path / "run.db", space=given)
        assert describe_space(loaded.space) == describe_space(space)  # type: ignore[arg-type]
        assert isinstance(loaded.best.build(), nn.Module)


def test_a_space_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    made_up_run(tmp_path / "run.db")
    for given, message in (
        (swap.spaces.get("nasbench201"), "made with channels=2 of the space nasbench201, not 16"),
        ("darts", "run.db is a run of the space nasbench201, not of darts"),
        (OwnSpace(), "is a run of the space nasbench201, not of .*:OwnSpace"),
        ("no_such_space", "unknown search space 'no_such_space'"),
    ):
        with pytest.raises(ValueError, match=message):
            swap.search.load(tmp_path / "run.db", space=given)
    with pytest.raises(TypeError, match=r"a SearchSpace or a name, .*, got ABCMeta"):
        swap.search.load(tmp_path / "run.db", space=NASBench201)  # type: ignore[arg-type]


def test_a_space_of_a_script_may_be_imported_by_its_name_later() -> None:
    recorded = {"space": {**describe_space(OwnSpace()), "name": "__main__:OwnSpace"}}
    assert isinstance(recorded_space(recorded, OwnSpace()), OwnSpace)
    recorded["space"]["name"] = "elsewhere:OwnSpace"
    with pytest.raises(ValueError, match="is a run of the space elsewhere:OwnSpace"):
        recorded_space(recorded, OwnSpace())


def test_no_module_that_a_run_file_names_is_imported(tmp_path: Path) -> None:
    settings = made_up_run(tmp_path / "run.db").settings
    with RunFile.resume(tmp_path / "run.db") as run_file:
        run_file.write_about(settings={**settings, "space": {"name": "antigravity:Space"}})
    assert swap.search.load(tmp_path / "run.db").space is None
    assert "antigravity" not in sys.modules


def test_options_that_the_space_refuses_are_told(tmp_path: Path) -> None:
    settings = made_up_run(tmp_path / "run.db").settings
    with RunFile.resume(tmp_path / "run.db") as run_file:
        damaged = {**settings["space"], "channels": -1}
        run_file.write_about(settings={**settings, "space": damaged})
    with pytest.raises(
        ValueError, match="records options that the space nasbench201 does not take"
    ):
        swap.search.load(tmp_path / "run.db")


def test_flops_are_those_of_the_final_network() -> None:
    space = small_space()
    architecture = space.sample(random.Random(0))
    with FlopCounterMode(display=False) as counter:
        space.build(architecture)(space.inputs(1))
    counted = counter.get_total_flops()
    of_scored = of_one(space, Outcome.of_patterns(5.0, flops=7), search={"max_flops": None})
    assert of_scored.best.flops == counted
    recorded = of_one(None, Outcome.of_patterns(5.0, flops=7), search={"max_flops": 9.0})
    assert recorded.best.flops == 7


@pytest.mark.slow
def test_a_limit_on_flops_records_those_of_the_final_network() -> None:
    """Also for a measure that counts operations itself."""
    made = SearchSettings(candidates=4, strategy="random", max_flops=1e12)
    found = search(small_space(), small_scorer(measure="flops"), made)
    for row in found.ranked():
        assert row.candidate.outcome is not None
        counted = of_one(found.space, row.candidate.outcome)
        final = replace(row.candidate, outcome=None)
        assert row.flops == counted.best.final.flops(final)


def test_what_is_measured_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    result = of_one(small_space(), Outcome.of_patterns(5.0))
    measured: list[object] = []
    monkeypatch.setattr(
        final_networks,
        "measure",
        lambda *given: measured.append(given) or Latency(0.5, 0.4, 0.6),  # type: ignore[func-returns-value]
    )
    assert result.best.latency == result.front[0].latency == 0.5
    assert len(measured) == 1
    recorded = of_one(None, Outcome.of_patterns(5.0, latency=0.25))
    assert recorded.best.latency == 0.25


def test_latency_is_measured_where_none_is_recorded() -> None:
    assert of_one(small_space(), Outcome.of_patterns(5.0)).best.latency > 0


def test_a_frame_has_every_candidate_once_by_number() -> None:
    pandas = pytest.importorskip("pandas")
    several = {"measures": {"swap": {"log_score": 1.5}, "nwot": {"error": "no"}}}
    outcomes = (
        Outcome.of_patterns(5.0, flops=9, latency=0.01, seconds=0.5, neurons=7, ternary=True),
        Outcome(over="flops", flops=2_000),
        Outcome(error="ValueError: no"),
        Outcome("swap", 8.0, math.log(8.0), details=several),
    )
    candidates = [
        Candidate(number, 0, f"arch {number}", f"form {number}", (0,), 1_000, outcome, 1e9 + number)
        for number, outcome in enumerate(outcomes)
    ]
    result = SearchResult(candidates[::-1], (Control(2.0, 1.0),))
    frame = result.to_frame()
    assert list(frame["number"]) == [0, 1, 2, 3]
    assert list(frame["rank"].dropna()) == [2, 1]
    assert list(frame["score"].dropna()) == [result.ranked()[1].score, result.ranked()[0].score]
    assert list(frame["unregularised_score"].dropna()) == [5.0, 8.0]
    assert frame["flops"].to_list() == [9, 2_000, pandas.NA, pandas.NA]
    assert frame["latency_seconds"][0] == 0.01 and math.isnan(frame["latency_seconds"][1])
    assert frame["log_score_swap"][3] == 1.5 and math.isnan(frame["log_score_nwot"][3])
    assert frame["over"][1] == "flops" and frame["error"][2] == "ValueError: no"
    assert frame["finished"][1] == pandas.Timestamp(1e9 + 1, unit="s", tz="UTC")
    assert frame["parents"][0] == (0,) and frame["parameters"].sum() == 4_000
    assert len(SearchResult([], ()).to_frame()) == 0


def test_without_pandas_a_frame_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'swapnas-ext\[pandas\]'"):
        SearchResult([], ()).to_frame()
    with pytest.raises(ImportError, match=r"pip install 'swapnas-ext\[pandas\]'"):
        swap.score(nn.Sequential(nn.Flatten(), nn.ReLU()), torch.randn(4, 3)).to_frame()


def test_rows_read_at_once_are_those_read_one_by_one(tmp_path: Path) -> None:
    found = made_up_run(tmp_path / "run.db")
    with RunFile.read(tmp_path / "run.db") as run_file:
        query = f"SELECT {', '.join(run_file_tables._COLUMNS)} FROM candidate ORDER BY number"
        rows = run_file._connection.execute(query).fetchall()
    names, of_outcome = run_file_tables._COLUMNS, run_file_tables._OUTCOME
    at_once = read_at_once(rows, names, of_outcome)
    assert at_once == [run_file_tables._candidate(row) for row in rows]
    assert at_once == sorted(found.candidates, key=lambda one: one.number)
    assert read_at_once([], names, of_outcome) == []
    damages = {
        "number": ("1", 1.0, None),
        "architecture": (None, b"x"),
        "parents": ("[1.0]", "{}", "[", "1], [2", None, "[" * 101 + "]" * 101),
        "parameters": (2.5,),
        "score": (None, "5", math.nan),
        "measure": (None, 5),
        "details": ("[]", "{", "{}, {}", '{"patterns": "5"}', '{"patterns": -1}'),
        "ternary": (2,),
        "seconds": (None,),
        "over": ("size",),
        "finished": (None, math.inf),
    }
    for name, values in damages.items():
        for value in values:
            row = [value if one == name else old for one, old in zip(names, rows[1], strict=True)]
            assert read_at_once([rows[0], tuple(row)], names, of_outcome) is None, (name, value)


def of_codes(*codes: str) -> SearchResult:
    """Architectures of NAS-Bench-Macro, best first."""
    candidates = [
        Candidate(number, 0, code, code, (), 1_000 - number, Outcome.of_patterns(900.0 - number))
        for number, code in enumerate(codes)
    ]
    return SearchResult(candidates, (Control(),), space=swap.spaces.get("nasbench-macro"))


def test_distinct_has_the_best_of_each_group() -> None:
    result = of_codes("00000000", "00000001", "00000011", "11100000", "00000111", "11100001")
    groups = result.distinct()
    assert [(one.ranked.architecture, one.rank, one.alike) for one in groups] == [
        ("00000000", 1, 2),
        ("11100000", 4, 1),
        ("00000111", 5, 0),
    ]
    assert [one.rank for one in result.distinct(2)] == [1, 4]
    assert [one.alike for one in result.distinct(2)] == [
        2,
        1,
    ]  # does not depend on how many are shown
    assert [one.rank for one in result.distinct(apart=1)] == [1, 2, 3, 4, 5, 6]
    assert len(result.distinct(apart=9)) == 1
    few = of_codes("00000000", "00000001", "11000000", "11000001")
    assert [one.rank for one in few.distinct()] == [1, 3]  # by two choices of the three that differ
    with pytest.raises(ValueError, match="give it, as in"):
        replace(result, space=None).distinct()


def several_outcomes() -> SearchResult:
    space = small_space()
    rng = random.Random(0)
    outcomes = (
        Outcome.of_patterns(5.0, 0.5, saturation=0.25, flops=9, latency=0.01, ternary=False),
        Outcome("far", math.inf, 800.0, details={"measures": {"a": {"log_score": 1.5}}}),
        Outcome(over="latency", latency=2.0),
        Outcome(error="ValueError: <b>no</b>"),
    )
    candidates = [
        Candidate(number, -1, space.sample(rng), f"form {number}", (0, 1), 10, outcome, 2.5)
        for number, outcome in enumerate(outcomes)
    ]
    settings = {"space": describe_space(space), "search": {"strategy": "random", "seed": 0}}
    return SearchResult(
        candidates,
        (Control(2.0, 1.0),),
        interrupted=True,
        settings=json.loads(json.dumps(settings)),
        space=space,
    )


def test_copies_are_equal() -> None:
    result = several_outcomes()
    for thing in (result, result.best, result.candidates[0], result.distinct()[0], result.family):
        assert pickle.loads(pickle.dumps(thing)) == thing
        assert copy.deepcopy(thing) == thing
    for thing in (result, result.best, result.candidates[0]):
        assert type(thing).from_json(thing.to_json()) == thing
    for one in (pickle.loads(pickle.dumps(result)), SearchResult.from_json(result.to_json())):
        assert isinstance(one.best.build(), nn.Module)
        assert describe_space(one.space) == describe_space(small_space())
    assert isinstance(Ranked.from_json(result.best.to_json()).build(), nn.Module)
    assert replace(result, interrupted=False) != result
    unfinished = replace(result.candidates[0], outcome=None, finished=None)
    assert Candidate.from_json(unfinished.to_json()) == unfinished


def test_other_json_is_refused() -> None:
    result = several_outcomes()
    record = json.loads(result.to_json())
    candidate = record["candidates"][0]
    for changed, message in (
        ({"colour": 1}, "SearchResult has the unknown field colour"),
        ({"candidates": [{**candidate, "number": "1"}]}, r"candidates\[0\].number must be int"),
        ({"controls": [{"mu": 1.0}]}, r"controls\[0\] has no field sigma"),
        ({"settings": []}, "SearchResult.settings must be"),
        ({"settings": {"space": 3}}, "settings.space must be an object, got 3"),
        ({"settings": {"space": {"name": 3}}}, "settings.space.name must be a text, got 3"),
        ({"settings": {"search": []}, "controls": 0}, "SearchResult.controls must be"),
        ({"settings": {"search": [1]}}, "settings.search must be an object"),
        (
            {"settings": {**record["settings"], "space": {"name": "darts", "layers": -1}}},
            "the JSON records options that the space darts does not take",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            SearchResult.from_json(json.dumps({**record, **changed}))
    with pytest.raises(ValueError, match="is a run of the space nasbench201, not of darts"):
        SearchResult.from_json(result.to_json(), "darts")
    with pytest.raises(ValueError, match="expected the JSON of a Ranked"):
        Ranked.from_json(result.to_json())


def test_distinct_takes_whole_numbers() -> None:
    wrong: Any
    for wrong in ({"top": 0}, {"top": 2.5}, {"apart": 0}, {"apart": "3"}):
        with pytest.raises(ValueError, match="must be a whole number from 1 on"):
            of_codes("00000000").distinct(**wrong)


def test_a_result_is_shown_in_a_few_lines() -> None:
    result = several_outcomes()
    text = repr(result)
    assert len(text) < 500 and "\n" not in text
    assert "space: nasbench201, candidates: 4, scored: 2, failed: 1, beyond a limit: 1" in text
    assert "ended: interrupted; best Ranked(" in text and result.best.architecture in text
    html = result._repr_html_()
    assert "<script" not in html and html.count("<tr>") == 6 + 1 + 2
    many = SearchResult([result.candidates[0]] * 1000, ())
    assert len(repr(many)) < 500 and len(many._repr_html_()) < 10_000
    assert "space: unknown" in repr(many)
    assert repr(SearchResult([], ())) == "<SearchResult space: unknown, candidates: 0, scored: 0>"


@pytest.mark.parametrize("name", swap.spaces.names())
def test_a_space_is_shown_with_its_options(name: str) -> None:
    options = OTHER_OPTIONS[name]
    space = swap.spaces.get(name, **options)
    for option, value in options.items():
        assert f"{option}={value!r}" in repr(space)
        assert f">{option}</th>" in space._repr_html_()
    assert ("architectures" in space._repr_html_()) == hasattr(space, "__len__")
