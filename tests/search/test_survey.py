"""Scoring a whole space: every architecture, isomorphic ones once, resumed where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import swapnas_ext as swap
from swapnas_ext.cli import main
from swapnas_ext.search.survey import Survey, read
from swapnas_ext.spaces import nasbench201

OPTIONS: dict[str, Any] = {"channels": 2, "cells": 1}
GROUPS = 24


@pytest.fixture(scope="module")
def largest_groups() -> list[list[str]]:
    """Those of the most cells: all forms would take minutes."""
    scorer = swap.Scorer(swap.data.photograph(8, 16), init="gaussian")
    groups = Survey("nasbench201", OPTIONS, scorer, Path("unused")).groups()
    assert len(groups) == 5260
    assert sum(map(len, groups)) == 15_625
    return sorted(groups, key=len)[-GROUPS:]


@pytest.fixture
def survey(tmp_path: Path, largest_groups: list[list[str]]) -> tuple[Survey, list[list[str]]]:
    scorer = swap.Scorer(swap.data.photograph(8, 16), init="gaussian")
    return Survey("nasbench201", OPTIONS, scorer, tmp_path / "scores.csv"), largest_groups


@pytest.mark.slow
def test_scores_of_all_forms(survey: tuple[Survey, list[list[str]]]) -> None:
    made, groups = survey
    space = swap.spaces.get("nasbench201", **OPTIONS)
    for group in groups[:5]:
        assert len({space.canonical(text) for text in group}) == 1
        assert space.size(group[0]) == min(space.size(text) for text in group)
    reported = [row for rows in made.run(groups, 2) for row in rows]
    rows = read(made.output)
    assert [row["architecture"] for row in rows] == [text for group in groups for text in group]
    assert [float(row["score"]) for row in rows] == [row["score"] for row in reported]
    first = rows[0]
    assert first["scored_as"] == groups[0][0]
    expected = made.scorer(space.build(groups[0][0]))
    assert float(first["score"]) == expected
    assert int(first["neurons"]) == expected.neurons
    for row in rows:
        assert int(row["parameters"]) == space.size(row["architecture"])


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0, 1, 30, 200])
def test_resumes_wherever_it_was_cut(survey: tuple[Survey, list[list[str]]], cut: int) -> None:
    made, groups = survey
    list(made.run(groups, 1))
    whole = made.output.read_bytes()
    made.output.write_bytes(whole[: len(whole) - cut])
    done = made.open(groups)
    assert done == (GROUPS if cut == 0 else GROUPS - 1)
    again = list(made.run(groups, 1))
    assert len(again) == GROUPS - done

    def without_seconds(text: bytes) -> list[bytes]:
        return [line.rpartition(b",")[0] for line in text.splitlines()]

    assert without_seconds(made.output.read_bytes()) == without_seconds(whole)


@pytest.mark.slow
def test_other_settings_and_other_files_are_refused(
    survey: tuple[Survey, list[list[str]]],
) -> None:
    made, groups = survey
    assert made.open(groups) == 0
    other = swap.Scorer(swap.data.photograph(8, 16), init="gaussian", seed=1)
    with pytest.raises(ValueError, match="made with seed=0, not 1"):
        Survey("nasbench201", OPTIONS, other, made.output).open(groups)
    other = swap.Scorer(swap.data.photograph(9, 16)[1:], init="gaussian")
    with pytest.raises(ValueError, match="made with inputs="):
        Survey("nasbench201", OPTIONS, other, made.output).open(groups)
    made.settings_file.unlink()
    with pytest.raises(ValueError, match="exists, and no readable"):
        made.open(groups)


@pytest.mark.slow
def test_sizes_regularise_each_for_itself(survey: tuple[Survey, list[list[str]]]) -> None:
    made, groups = survey
    scorer = swap.Scorer(swap.data.photograph(8, 16), init="gaussian", mu=1.0, sigma=2.0)
    regularised = Survey("nasbench201", OPTIONS, scorer, made.output)
    list(regularised.run(groups[-1:], 1))
    rows = read(made.output)
    assert len({row["patterns_mean"] for row in rows}) == 1
    sizes = {row["parameters"] for row in rows}
    assert len({row["score"] for row in rows}) == len(sizes) > 1


def test_a_space_too_large_to_list(tmp_path: Path) -> None:
    scorer = swap.Scorer(swap.data.photograph(8), init="gaussian")
    with pytest.raises(ValueError, match="too large to list"):
        Survey("darts", {}, scorer, tmp_path / "x.csv").groups()


# ---- the command ---------------------------------------------------------------------------------


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = ["none", "nor_conv_1x1", "skip_connect", "none", "none", "avg_pool_3x3"]
    few = [nasbench201.format_cell(tuple(forms[k:] + forms[:k])) for k in range(6)]
    monkeypatch.setattr(nasbench201.NASBench201, "__iter__", lambda self: iter(few))
    path = tmp_path / "all.csv"
    arguments = [
        "--space", "nasbench201", "--all", "--channels", 2, "--cells", 1, "--samples", 8,
        "--size", 16, "--workers", 1, "--output", path,
    ]  # fmt: skip
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "6 architectures of" in result.stdout
    assert len(read(path)) == 6
    assert json.loads((tmp_path / "all.csv.settings.json").read_text())["space"] == "nasbench201"
    again = run(*arguments)
    assert again.exit_code == 0
    assert "has 6 of 6: continuing" in again.stderr
    assert "scored 0 networks" in again.stdout
    refused = run(*arguments, "--seed", 5)
    assert refused.exit_code == 2
    assert "made with seed=0, not 5" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--all"], "--all goes with --space"),
        (["--all", "--space", "darts"], "too large to list"),
        (["--all", "--space", "nasbench201", "--arch", "x"], "without --arch"),
        (["--all", "--space", "nasbench201", "--device", "cuda"], "scores on the CPU"),
        (
            ["--space", "nasbench201", "--network", "cifar10"],
            "nasbench201 has no option network; it has: dataset",
        ),
        (
            ["--space", "darts", "--dataset", "cifar10"],
            "darts has no option dataset; it has: network",
        ),
    ],
)
def test_bad_input(arguments: list[str], problem: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert problem in result.output
    assert "Traceback" not in result.output
