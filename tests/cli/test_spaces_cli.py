"""``swapnas spaces``: lists spaces, and draws architectures for ``--arch-file``."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner, Result

import swapnas_ext as swap
from swapnas_ext.cli import main


def spaces(arguments: str) -> Result:
    return CliRunner().invoke(main, ["spaces", *arguments.split()])


def test_lists_all() -> None:
    result = spaces("")
    assert result.exit_code == 0
    assert all(f"  {name}: " in result.stdout for name in swap.spaces.names())
    assert [row["space"] for row in json.loads(spaces("--json").stdout)] == swap.spaces.names()


@pytest.mark.parametrize("name", swap.spaces.names())
def test_a_sample_of_every_space(name: str) -> None:
    space = swap.spaces.get(name)
    drawn = spaces(f"{name} --sample 3").stdout.splitlines()
    assert len({space.canonical(text) for text in drawn}) == 3
    assert [space.format(space.parse(text)) for text in drawn] == drawn


def test_the_seed_decides() -> None:
    first, again, other = (spaces(f"darts --sample 4 --seed {seed}").stdout for seed in (1, 1, 2))
    assert first == again != other
    assert spaces("darts --sample 9 --seed 1").stdout.startswith(first)
    listed = json.loads(spaces("darts --sample 4 --seed 1 --json").stdout)
    assert listed == first.splitlines()


def test_a_sample_can_be_scored() -> None:
    drawn = spaces("darts --sample 3").stdout
    command = "score --space darts --samples 4 --format csv --arch-file -"
    result = CliRunner().invoke(main, command.split(), input=drawn)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert {row["architecture"] for row in rows} == set(drawn.splitlines())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("drats --sample 3", "unknown search space 'drats'; known: darts, "),
        ("darts", "SPACE and --sample go together"),
        ("--sample 3", "SPACE and --sample go together"),
        ("darts --sample 0", "0 is not in the range"),
    ],
)
def test_mistakes(arguments: str, problem: str) -> None:
    result = spaces(arguments)
    assert result.exit_code == 2
    assert problem in result.output
    assert not result.stdout


def test_a_space_with_fewer_architectures() -> None:
    result = spaces("support.few_architectures:build --sample 10")
    assert result.exit_code == 2
    assert "take at most 3" in result.output
