"""``swapnas validate``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.classes import write_classes

from swapnas_ext.cli import main
from swapnas_ext.correlation import ranking
from swapnas_ext.search import RunFile
from swapnas_ext.validation import Progress
from swapnas_ext.validation import plan as planning

SPACE = ("--space", "nasbench201", "--channels", 2, "--cells", 1)
SEARCH = (*SPACE, "--samples", 4, "--strategy", "random", "--workers", 1)
OPTIONS = ("--networks", 3, "--size", 8)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def three_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_MOST_EPOCHS", 3)
    monkeypatch.setattr(ranking, "_MANY", 0)  # fewer resamples
    monkeypatch.setattr(planning, "FEWEST_STEPS", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run file, and images."""
    folder = tmp_path_factory.mktemp("validate")
    write_classes(folder / "images")
    result = run("search", *SEARCH, "--candidates", 8, "--run", folder / "run.db")
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.slow
def test_the_report(folder: Path) -> None:
    result = run("validate", folder / "run.db", "--images", folder / "images", *OPTIONS, "--again")
    assert result.exit_code == 0, result.output
    assert "3 networks x 3 epochs, about" in result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("nasbench201, 3 of ")
    assert "3 classes, 48 training and 12 held-out images of 8 pixels" in lines[0]
    table = lines[lines.index("") + 1 :]
    assert table[0].split() == [
        "rank",
        "of",
        "the",
        "score",
        "params",
        "accuracy",
        "s",
        "architecture",
    ]
    assert [line.split()[1] for line in table[1:4]] == ["best", "middle", "worst"]
    for part in (
        "Spearman's rho",
        "Kendall's tau",
        "rho = ",
        "cost: ",
        "intervals are wide",
        "expect a lower rho",
    ):
        assert part in result.stdout, part
    record = folder / "run.db.validation.json"
    assert len(json.loads(record.read_text())["trained"]) == 3


@pytest.mark.slow
def test_json_of_the_space_that_was_asked_for(folder: Path) -> None:
    result = run(
        "validate", folder / "run.db", "--images", folder / "images", *OPTIONS, "--json", "--no-flip",
        "--output", folder / "other.json", "--space", "nasbench201", "--channels", 4, "--cells", 1,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert [one["group"] for one in content["networks"]] == ["best", "middle", "worst"]
    assert json.loads((folder / "other.json").read_text())["settings"]["space"]["channels"] == 4
    assert set(content["predictors"]) == {"score", "parameters"}
    assert content["images"] == {"classes": 3, "train": 48, "held_out": 12, "found": 60, "size": 8}


@pytest.mark.slow
def test_ctrl_c_and_the_same_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (
        "validate",
        folder / "run.db",
        "--images",
        folder / "images",
        *OPTIONS,
        "--seed",
        3,
    )
    arguments += ("--output", folder / "stopped.json")
    command = sys.modules["swapnas_ext.cli.validate"]
    train = command.run_validation

    def interrupted(*given: object, **options: object) -> object:
        def on_progress(progress: Progress) -> None:
            if len(progress.trained) == 2:
                raise KeyboardInterrupt

        return train(*given, **{**options, "on_progress": on_progress})  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(command, "run_validation", interrupted)
        result = run(*arguments)
    assert result.exit_code == 130
    assert "interrupted after 2 of 3 networks" in result.stderr
    assert "no verdict on 2 networks" in result.stdout
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert len(json.loads((folder / "stopped.json").read_text())["trained"]) == 3


def test_bad_commands(folder: Path, tmp_path: Path) -> None:
    good, images = folder / "run.db", folder / "images"
    text = tmp_path / "text.db"
    text.write_text("no run file")
    unknown = tmp_path / "own.db"
    with RunFile.create(
        unknown, {"space": {"name": "mine:Space"}, "search": {"strategy": "x", "seed": 1}}
    ):
        pass
    for arguments, problem in (
        ((text, "--images", images), "it is not a run file"),
        ((tmp_path / "none.db", "--images", images), "there is no run file"),
        ((good, "--images", tmp_path / "none"), "no images at"),
        ((good, "--images", images / "red"), "no subfolders with images"),
        ((good, "--images", images, "--networks", 2), "--networks"),
        ((good, "--images", images, "--minutes", 0), "--minutes"),
        (
            (good, "--images", images, "--space", "darts"),
            "is a run of the space nasbench201, not of darts",
        ),
        ((good, "--images", images, "--output", images), "is a folder"),
        ((good, "--images", images, "--output", good), "would overwrite the run file"),
        ((good, "--images", images, "--device", "nowhere"), "nowhere"),
        ((unknown, "--images", images), "give --space mine:Space too"),
        ((good,), "Missing option '--images'"),
    ):
        result = run("validate", *arguments)
        assert result.exit_code == 2, (arguments, result.output)
        assert problem in result.output
        assert "Traceback" not in result.output
