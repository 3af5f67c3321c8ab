"""Scores that are kept: pickle, JSON, data frames, and what notebooks show."""

from __future__ import annotations

import copy
import json
import math
import pickle
import warnings
from dataclasses import asdict
from html.parser import HTMLParser
from typing import Any

import pytest
import torch
from torch import nn

import swapnas_ext as swap
from swapnas_ext.measures import Measurement
from swapnas_ext.scoring.swap_score import Result


def image_net() -> nn.Sequential:
    layers = (
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 4, 3),
        nn.SiLU(),
    )
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * 36, 5))


def score_of(**options: Any) -> swap.SwapScore:
    images = torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return swap.score(image_net(), images, **options)


OPTIONS = (
    {"init": "gaussian", "repeats": 3},
    {},  # one repeat: its deviation is NaN
    {"init": "gaussian", "mu": 2.0, "sigma": 3.0},
    {"measure": "capacity"},
    {"measure": "composite", "init": "kaiming", "repeats": 2},
    {"measure": "swap,nwot,zico"},
)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_copies_keep_everything(options: dict[str, Any]) -> None:
    score = score_of(**options)
    copies = {
        "pickle": pickle.loads(pickle.dumps(score)),
        "deepcopy": copy.deepcopy(score),
        "copy": copy.copy(score),
        "json": swap.SwapScore.from_json(score.to_json()),
    }
    for how, one in copies.items():
        assert type(one) is swap.SwapScore and one == score, how
        assert vars(one) == vars(score), how
        assert repr(one) == repr(score), how


def test_json_is_json_with_a_version() -> None:
    score = score_of()
    record = json.loads(score.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert (record["swapnas"], record["version"]) == ("SwapScore", 1)
    assert record["measurement"]["spread"] == "NaN"
    assert [layer["name"] for layer in record["layers"]] == ["2", "4"]


def changed(record: dict[str, Any], **values: Any) -> str:
    return json.dumps({**record, **values})


def test_other_json_is_refused() -> None:
    record = json.loads(score_of().to_json())
    without = {name: value for name, value in record.items() if name != "samples"}
    layer = record["layers"][0]
    for text, message in (
        (
            changed(record, swapnas="Candidate"),
            "expected the JSON of a SwapScore, .* of 'Candidate'",
        ),
        (changed(record, version=2), "has version 2, and version 1 can be read"),
        (changed(record, colour="red"), "has the unknown field colour; its fields are measure,"),
        (json.dumps(without), "has no field samples"),
        (changed(record, samples="16"), "SwapScore.samples must be int, got '16'"),
        (changed(record, samples=True), "SwapScore.samples must be int, got True"),
        (changed(record, ternary=1), "SwapScore.ternary must be bool, got 1"),
        (changed(record, log_factor=[]), r"SwapScore.log_factor must be float, got \[\]"),
        (changed(record, log_factor="a"), "SwapScore.log_factor must be float, got 'a'"),
        (
            changed(record, layers=[{**layer, "how": "x"}]),
            r"SwapScore.layers\[0\].how must be .*'x'",
        ),
        (changed(record, layers={}), "SwapScore.layers must be"),
        (changed(record, notes=[1]), r"SwapScore.notes\[0\] must be str, got 1"),
        (
            changed(record, measurement={**record["measurement"], "details": {"$part": "Path"}}),
            "measurement.details",
        ),
        ("[]", "expected the JSON of a SwapScore, .* got that of 'list'"),
        ("nonsense", "can't read the JSON of a SwapScore as JSON"),
        ("[" * 5000, "nested too deeply|can't read"),
    ):
        with pytest.raises(ValueError, match=message):
            swap.SwapScore.from_json(text)
    with pytest.raises(TypeError, match="is a str, got bytes"):
        swap.SwapScore.from_json(b"{}")  # type: ignore[arg-type]


def test_details_of_any_kind_come_back() -> None:
    details = {"a": (1, [2.5, math.nan]), "b": {"$number": "x"}, "c": {"d": -math.inf, "e": None}}
    result = Result(**{**vars(score_of()), "measurement": Measurement(1.0, details=details)})
    score = swap.SwapScore(result)
    assert vars(swap.SwapScore.from_json(score.to_json())) == vars(score)
    unknown = swap.SwapScore(
        Result(**{**vars(score), "measurement": Measurement(1.0, parts=(object(),))})
    )
    with pytest.raises(TypeError, match=r"JSON has no object, .* pickle keeps it"):
        unknown.to_json()


def test_a_frame_has_a_row_for_each_layer() -> None:
    pytest.importorskip("pandas")
    score = score_of(init="gaussian")
    frame = score.to_frame()
    assert list(frame["name"]) == ["2", "4"] and list(frame["kind"]) == ["ReLU", "SiLU"]
    assert frame["neurons"].sum() == score.neurons and list(frame["captured_as"]) == ["module"] * 2
    assert frame["new_patterns"].sum() == score.patterns[0]
    assert list(frame["signed"]) == [False, True] and (frame["seconds"] >= 0).all()
    by_other = score_of(measure="nwot").to_frame()
    assert by_other["new_patterns"].isna().all() and len(by_other) == 2


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_notebooks_show_tables_without_scripts_or_colours() -> None:
    score = score_of(init="gaussian", repeats=2).with_note("<script>alert(1)</script>")
    scorer = swap.Scorer(torch.randn(12, 3, 8, 8), init="gaussian", repeats=4, tolerance=0.1)
    for thing, words in ((score, ["<script>", "neurons"]), (scorer, ["float32[12, 3, 8, 8]"])):
        html = thing._repr_html_()
        shown = Tags(html)
        assert set(shown.tags) <= {"div", "table", "tr", "th", "td"}
        assert "color" not in html and "background" not in html
        assert all(word in shown.text for word in words)


def test_the_repr_of_a_scorer_has_its_options() -> None:
    text = repr(swap.Scorer(torch.randn(12, 3, 8, 8), init="gaussian", repeats=4, tolerance=0.1))
    assert text == (
        "Scorer(inputs=float32[12, 3, 8, 8], samples=12, measure=patterns, init=gaussian, repeats=4, seed=0, "
        "tolerance=0.1)"
    )
    assert "init=own" in repr(swap.Scorer(torch.randn(4, 8), measure="swap,nwot", init="own"))
    assert "init=keep" in repr(swap.Scorer(torch.randn(4, 8)))


def test_a_scorer_keeps_its_mini_batch_in_copies() -> None:
    scorer = swap.Scorer(torch.randn(12, 3, 8, 8), init="gaussian", repeats=2)
    expected = scorer(image_net())
    for one in (pickle.loads(pickle.dumps(scorer)), copy.deepcopy(scorer)):
        again = one(image_net())
        assert again == expected and again.layers[0].name == expected.layers[0].name
        assert asdict(again.layers[0].rule) == asdict(expected.layers[0].rule)
