"""The example files of the package: they agree with the spaces, and the commands take them."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

import swapnas_ext as swap
from swapnas_ext.cli import main
from swapnas_ext.correlation import read_table

SPACE = swap.spaces.get("nasbench201")


def rows(name: str) -> list[dict[str, str]]:
    with open(swap.examples.path(name), newline="") as file:
        return list(csv.DictReader(file))


def architectures(name: str) -> list[str]:
    lines = swap.examples.path(name).read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("name", swap.examples.names())
def test_each_is_there_and_described(name: str) -> None:
    assert swap.examples.path(name).is_file()
    assert swap.examples.about(name)
    readme = swap.examples.path(name).with_name("README.md").read_text()
    assert f"| `{name}` | `{swap.examples.path(name).name}` |" in readme


def test_every_file_has_a_name() -> None:
    folder = swap.examples.path("cells").parent
    named = {swap.examples.path(name).name for name in swap.examples.names()}
    assert {path.name for path in folder.iterdir() if path.suffix in (".csv", ".txt")} == named


def test_the_drawn_cells() -> None:
    table = read_table(swap.examples.path("nasbench201"), SPACE)
    assert table.accuracy == "val_cifar10" and not table.faults
    texts = [row.architecture for row in table.rows]
    assert len(set(texts)) == 256
    assert texts == [row["architecture"] for row in rows("nasbench201")]  # in the space's spelling
    forms = {SPACE.canonical(text) for text in texts}
    readme = swap.examples.path("nasbench201").with_name("README.md").read_text()
    assert f"The 256 cells have {len(forms)} canonical forms" in readme
    accuracies = [float(row["test_cifar10"]) for row in rows("nasbench201")]
    assert all(10 <= accuracy < 95 for accuracy in accuracies)
    assert sum(accuracy < 50 for accuracy in accuracies) == 7 and "Seven of the 256" in readme


def test_the_best_cells_are_in_order_and_agree_with_the_drawn() -> None:
    best = rows("nasbench201-best")
    assert [int(row["rank"]) for row in best] == list(range(1, 65))
    accuracies = [float(row["test_cifar10"]) for row in best]
    assert accuracies == sorted(accuracies, reverse=True)
    known = {row["index"]: row for row in rows("nasbench201")}
    for row in best:
        same = known.pop(row["index"], row)
        assert {**row, **same} == row
    ranked = {row["index"] for row in best}
    assert all(
        float(row["test_cifar10"]) <= accuracies[-1]
        for row in rows("nasbench201")
        if row["index"] not in ranked
    )


@pytest.mark.slow
def test_isomorphic_cells_of_the_best() -> None:
    """Counted over the whole space; a form that has one cell has its accuracy as the mean."""
    wanted = Counter(map(SPACE.canonical, SPACE))
    for row in rows("nasbench201-best"):
        assert wanted[SPACE.canonical(row["architecture"])] == int(row["isomorphic"])
        if row["isomorphic"] == "1":
            assert float(row["isomorphic_mean"]) == pytest.approx(float(row["test_cifar10"]))


@pytest.mark.parametrize(("name", "space"), [("cells", "nasbench201"), ("genotypes", "darts")])
def test_lists_of_architectures(name: str, space: str) -> None:
    texts = architectures(name)
    of = swap.spaces.get(space)
    assert texts and len({of.canonical(text) for text in texts}) == len(texts)
    assert [of.format(of.parse(text)) for text in texts] == texts


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"no example 'cifar'; there are: nasbench201, "):
        swap.examples.path("cifar")


def test_listed_on_the_command_line() -> None:
    printed = CliRunner().invoke(main, ["examples"]).output
    for name in swap.examples.names():
        assert f"example:{name}: " in printed and str(swap.examples.path(name)) in printed


def test_scores_an_example() -> None:
    command = "score --space darts --samples 4 --arch-file example:genotypes --format csv"
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 0, result.output
    assert len(list(csv.DictReader(result.stdout.splitlines()))) == 4


@pytest.mark.slow
def test_correlates_an_example(tmp_path: Path) -> None:
    pytest.importorskip("scipy", reason="needs the extra correlate")
    base = tmp_path / "found"
    command = "correlate --space nasbench201 --table example:nasbench201 --channels 2 --cells 1 --samples 4 --size 8"
    command += f" --measure params --limit 8 --workers 1 --output {base}"
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 0, result.output
    assert "nasbench201.csv, val_cifar10: 8 architectures" in result.output
    assert base.with_suffix(".csv").is_file()


@pytest.mark.parametrize("option", ["correlate --table", "score --arch-file"])
def test_unknown_example_on_the_command_line(option: str) -> None:
    result = CliRunner().invoke(main, [*option.split(), "example:cifar", "--space", "nasbench201"])
    assert result.exit_code == 2
    assert "no example 'cifar'; there are: nasbench201, " in result.output
