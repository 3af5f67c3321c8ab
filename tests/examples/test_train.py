"""examples/train.py."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from support.classes import write_classes

import swapnas_ext as swap

FILE = Path(__file__).parents[2] / "examples" / "train.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_example", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run file of tiny networks, and images."""
    folder = tmp_path_factory.mktemp("train")
    write_classes(folder / "images")
    space = swap.spaces.get("nasbench201", channels=2, cells=1)
    settings = swap.search.SearchSettings(candidates=4, strategy="random")
    swap.search.search(space, swap.Scorer(space.inputs(4)), settings, history=folder / "run.db")
    return folder


@pytest.fixture
def train(
    script: ModuleType,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # type: ignore[no-untyped-def]
    """Runs the script, and returns what it prints."""

    def run(checkpoint: Path, *options: object) -> str:
        images = ("--images", folder / "images", "--size", 8, "--checkpoint", checkpoint)
        arguments = ("train.py", folder / "run.db", *images, *options)
        monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
        capsys.readouterr()
        script.main()
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_a_resumed_training_ends_as_an_uninterrupted_one(  # type: ignore[no-untyped-def]
    train, script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--epochs", 4, "--no-random")
    whole = train(tmp_path / "whole.pt", *options).replace("whole.pt", "parts.pt")
    save, saved = script.save, []

    def interrupted(content: dict, path: Path) -> None:
        save(content, path)
        saved.append(content["epoch"])
        if len(saved) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(script, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "parts.pt", *options)
    torch.rand(5)  # the caller's random numbers are elsewhere
    assert train(tmp_path / "parts.pt", *options) == whole
    one, other = (
        torch.load(tmp_path / name, weights_only=True) for name in ("whole.pt", "parts.pt")
    )
    assert saved == [1, 2] and one["epoch"] == other["epoch"] == 4
    assert one["loss"] == other["loss"]
    for name, tensor in one["network"].items():
        assert torch.equal(tensor, other["network"][name]), name
    assert one["classes"] == ["blue", "green", "red"]
    assert train(tmp_path / "parts.pt", *options) == whole  # nothing is left to do
    with pytest.raises(
        SystemExit, match="was trained with other seed: choose another --checkpoint"
    ):
        train(tmp_path / "parts.pt", *options, "--seed", 1)


@pytest.mark.slow
def test_it_learns_and_stands_beside_a_random_one(train, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = train(tmp_path / "net.pt", "--epochs", 25, "--rank", 2)
    assert "48 training and 12 held-out images of 3 classes" in text
    found, other = re.findall(r"(?:found|random): ([\d.]+) % .*?, ([\d,]+) parameters", text)
    assert float(found[0]) > 60  # colours are easy; chance is 33
    sizes = [int(one[1].replace(",", "")) for one in (found, other)]
    assert abs(sizes[0] - sizes[1]) <= 0.1 * sizes[0]
    content = torch.load(tmp_path / "net.pt", weights_only=True)
    assert content["held_out_accuracy"] == pytest.approx(float(found[0]), abs=0.01)
    assert (tmp_path / "net-random.pt").exists()


def test_no_random_architecture_of_that_size(  # type: ignore[no-untyped-def]
    train, script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "SAME_SIZE", 0)
    monkeypatch.setattr(script, "TRIES", 3)
    text = train(tmp_path / "net.pt", "--epochs", 1)
    assert "none of 3 random architectures has the same size" in text and "random:" not in text


def test_errors(train, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SystemExit, match=r"--rank 9: .* has 4 scored architectures"):
        train(tmp_path / "net.pt", "--rank", 9)
