"""What a new user does, from a space of their own to a trained network: the commands of docs/export.md, made small."""

from __future__ import annotations

import importlib
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.classes import write_classes

from swapnas_ext.cli import main

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "export.md").read_text()
SPACE = """
from typing import Literal

from torch import nn


def build(width: Literal[4, 6, 8], kernel: Literal[1, 3], depth: Literal[1, 2] = 1):
    layers = [nn.Conv2d(3, width, kernel, 4), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, kernel, padding=kernel // 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))
"""
SMALLER = {
    "--candidates 200": "--candidates 6 --samples 4 --workers 1",
    "--epochs 100": "--epochs 1",
}


def example(name: str) -> str:
    """The code below a comment of that name in the page."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, name
    return found[1]


def run(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    program, *arguments = shlex.split(command)
    if program == "swapnas":
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout
    assert program == "python"
    monkeypatch.setattr(sys, "argv", arguments)
    capsys.readouterr()
    runpy.run_path(str(ROOT / arguments[0]), run_name="__main__")
    return capsys.readouterr().out


@pytest.mark.slow
def test_from_a_space_to_onnx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    Path("small_space.py").write_text(SPACE)
    importlib.invalidate_caches()
    write_classes(Path("photos"))
    outputs = []
    for line in example("from space to ONNX").splitlines():
        for large, small in SMALLER.items():
            line = line.replace(large, small)
        command = line.replace("examples.resnet:build", "small_space:build")
        outputs.append(run(command, monkeypatch, capsys))
    assert '"rank": 1' in outputs[1]
    assert "found: " in outputs[2] and "held-out images of 3 classes" in outputs[2]
    assert re.search(r"wrote net\.onnx: .* trained parameters, .* \[batch, 3, 32, 32\]", outputs[3])
    Path("photos/red/000.png").rename("photo.png")
    exec(compile(example("ONNX in another program"), "docs/export.md", "exec"), {})
    assert capsys.readouterr().out.strip() in ("blue", "green", "red")
