"""The swapnas command."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import swapnas_ext as swap
from swapnas_ext.cli import main

CONV = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|"
SKIP = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
SMALL = ["score", "--space", "nasbench201", "--channels", "4", "--cells", "1"]


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


def test_json_holds_the_scores_of_the_library() -> None:
    result = run(*SMALL, "--arch", SKIP, "--arch", CONV, "--format", "json", "--repeats", "2")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["architecture"] for row in rows] == [CONV, SKIP]
    space = swap.spaces.get("nasbench201", channels=4, cells=1)
    scorer = swap.Scorer(swap.data.photograph(), init="gaussian", repeats=2)
    expected = scorer(space.build(CONV))
    assert rows[0]["score"] == expected
    assert rows[0]["patterns_std"] == expected.std
    assert rows[0]["parameters"] == expected.parameters


def test_csv_and_output_file(tmp_path: Path) -> None:
    result = run(*SMALL, "--arch", CONV, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert row["architecture"] == CONV
    path = tmp_path / "scores.csv"
    result = run(*SMALL, "--arch", CONV, "--format", "csv", "--output", path)
    assert result.exit_code == 0
    assert path.read_text().splitlines()[0].startswith("architecture,score")
    assert "wrote 1 scores" in result.stderr


def test_table_and_arch_file() -> None:
    result = run(*SMALL, "--arch-file", "-", stdin=f"# two cells\n{SKIP}\n\n{CONV}\n")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == [
        "rank",
        "score",
        "neurons",
        "saturation",
        "params",
        "ms",
        "architecture",
    ]
    assert CONV in lines[1]
    assert SKIP in lines[2]


def test_own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_models.py").write_text(
        "from torch import nn\n"
        "def tiny():\n    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())\n"
        "number = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    result = run(
        "score", "--model", "my_models:tiny", "--size", "16", "--init", "keep", "--format", "json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)[0]["neurons"] == 4 * 14 * 14
    again = run(
        "score", "--model", "my_models:tiny", "--size", "16", "--init", "keep", "--format", "json"
    )
    assert json.loads(again.stdout)[0]["score"] == json.loads(result.stdout)[0]["score"]
    for text, problem in (
        ("my_models", "MODULE:NAME"),
        ("my_models:nothing", "no function or class 'nothing'"),
        ("my_models:number", "no function or class 'number'"),
        ("no_such_module:f", "no_such_module"),
    ):
        result = run("score", "--model", text)
        assert result.exit_code == 2
        assert problem in result.output


def test_images(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels)
    result = run(
        *SMALL,
        "--arch",
        CONV,
        "--images",
        tmp_path / "images.npz",
        "--samples",
        "8",
        "--format",
        "json",
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)[0]["samples"] == 8


@pytest.mark.parametrize("option", ["--samples", "--repeats"])
def test_a_number_that_is_none(option: str) -> None:
    result = run(*SMALL, "--arch", CONV, option, "0")
    assert result.exit_code == 2
    assert f"Error: Invalid value for '{option}': '0' is neither a whole number from 1" in (
        result.output
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "give architectures"),
        (["--arch", CONV], "need --space"),
        (
            ["--space", "nasbench201", "--arch", "|none~0|"],
            "'+' before the next node, found the end",
        ),
        ([*SMALL[1:], "--arch", CONV, "--images", "nowhere.npz"], "nowhere.npz"),
        ([*SMALL[1:], "--arch", CONV, "--mu", "1"], "mu and sigma go together"),
        ([*SMALL[1:], "--arch", CONV, "--device", "toaster"], "toaster"),
        ([*SMALL[1:], "--arch", CONV, "--dataset", "mnist"], "imagenet16-120"),
    ],
)
def test_bad_input_is_told_without_a_traceback(arguments: list[str], problem: str) -> None:
    result = run("score", *arguments)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert problem in result.output
    assert "Traceback" not in result.output


def test_interrupted_with_the_scores_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = swap.Scorer.__call__

    def impatient(self: swap.Scorer, model: object) -> swap.SwapScore:
        if calls:
            raise KeyboardInterrupt
        calls.append(model)
        return original(self, model)

    monkeypatch.setattr(swap.Scorer, "__call__", impatient)
    result = run(*SMALL, "--arch", CONV, "--arch", SKIP, "--format", "json")
    assert result.exit_code == 130
    assert [row["architecture"] for row in json.loads(result.stdout)] == [CONV]
    assert "1 of 2" in result.stderr


def test_help_and_info() -> None:
    assert "Examples:" in run("score", "--help").output
    assert json.loads(run("info").output)["version"] == swap.__version__


GENOTYPE = (
    "Genotype(normal=[('skip_connect', 0), ('none', 1), ('skip_connect', 0), ('none', 1), "
    "('skip_connect', 0), ('none', 1), ('skip_connect', 0), ('none', 1)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('sep_conv_3x3', 0), ('max_pool_3x3', 1), ('dil_conv_3x3', 0), ('none', 1), "
    "('skip_connect', 0), ('none', 1), ('skip_connect', 2), ('none', 1)], reduce_concat=[2, 3, 4, 5])"
)


def test_darts_and_profile() -> None:
    result = run("score", "--space", "darts", "--arch", GENOTYPE, "--repeats", "4", "--profile")
    assert result.exit_code == 0, result.output
    for word in (
        "build",
        "initialise",
        "forward",
        "count",
        "cells.0.preprocess0.0",
        "new patterns",
    ):
        assert word in result.stderr
    assert "Genotype(normal=" in result.stdout
    small = run(
        *("score", "--space", "darts", "--network", "cifar10", "--channels", "2", "--cells", "3"),
        *("--arch", GENOTYPE, "--format", "json"),
    )
    assert small.exit_code == 0, small.output
    space = swap.spaces.get("darts", network="cifar10", channels=2, layers=3)
    assert json.loads(small.stdout)[0]["parameters"] == space.size(GENOTYPE)


def test_capture_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "functional_models.py").write_text(
        "import torch.nn.functional as F\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.a, self.b = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)\n"
        "    def forward(self, x):\n"
        "        return F.relu(self.b(F.relu(self.a(x))))\n"
    )
    monkeypatch.chdir(tmp_path)
    model = ("score", "--model", "functional_models:Net", "--size", "16", "--format", "json")
    both = json.loads(run(*model, "--tolerance", "0.5", "--repeats", "9").stdout)[0]
    assert both["neurons"] == 8 * 14 * 14 + 8 * 12 * 12
    assert both["repeats"] == 3
    second = json.loads(run(*model, "--select", ":relu#2").stdout)[0]
    assert second["neurons"] == 8 * 12 * 12
    modules = run(*model, "--capture", "modules")
    assert modules.exit_code == 2
    assert "use capture='auto'" in modules.stderr
    for options in (("--autocast", "bfloat16"), ("--channels-last",), ("--max-memory", "64")):
        assert run(*model, *options).exit_code == 0
    saturated = run(*model, "--samples", "2")
    assert "saturated" in saturated.stderr


def test_models_that_fail_lose_no_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing_models.py").write_text(
        "from torch import nn\n"
        "def good():\n    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())\n"
        "def bad():\n    return nn.Sequential().nothing\n"
    )
    monkeypatch.chdir(tmp_path)
    models = ("--model", "failing_models:good", "--model", "failing_models:bad")
    result = run("score", *models, "--format", "json")
    assert result.exit_code == 2
    assert [row["architecture"] for row in json.loads(result.stdout)] == ["failing_models:good"]
    assert "failing_models:bad: AttributeError" in result.stderr
    result = run("score", *models, "--output", tmp_path / "nowhere" / "x.csv")
    assert "there is no folder" in result.stderr
    assert "size must be at least 1 pixel" in run("score", *models, "--size", "0").stderr


def test_kinds_of_patterns_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kinds.py").write_text(
        "from torch import nn\n"
        "def made(act):\n    return nn.Sequential(nn.Conv2d(3, 4, 3), act)\n"
        "def binary():\n    return made(nn.ReLU())\n"
        "def ternary():\n    return made(nn.GELU())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    both = ("score", "--model", "kinds:binary", "--model", "kinds:ternary", "--size", "32")
    result = run(*both)
    assert result.exit_code == 0, result.output
    headings, *rows = (line.split() for line in result.stdout.splitlines())
    place = headings.index("patterns")
    assert {row[-1]: row[place] for row in rows} == {
        "kinds:binary": "binary",
        "kinds:ternary": "ternary",
    }
    assert "ternary patterns (1) and binary ones (1) are compared" in result.stderr
    rows = json.loads(run(*both, "--format", "json").stdout)
    assert {row["ternary"] for row in rows} == {True, False}
    assert {row["patterns_std"] for row in rows} == {None}  # of one repeat
    (row, _) = csv.DictReader(io.StringIO(run(*both, "--format", "csv").stdout))
    assert row["patterns_std"] == ""
    alone = run("score", "--model", "kinds:binary", "--size", "32")
    assert "patterns" not in alone.stdout and "compared" not in alone.stderr
