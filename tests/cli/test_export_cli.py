"""``swapnas export``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import swapnas_ext as swap
from swapnas_ext.cli import main
from swapnas_ext.export import NOTES

SPACE = ("--space", "nasbench201", "--channels", 2, "--cells", 1)
CELL = "|skip_connect~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "run.db"
    search = ("--samples", 4, "--strategy", "random", "--workers", 1, "--candidates", 4)
    result = run("search", *SPACE, *search, "--run", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_best_of_a_run(run_file: Path, folder: Path) -> None:
    result = run("export", run_file, "--seed", 3)
    assert result.exit_code == 0, result.output
    ranked = swap.search.load(run_file).ranked()
    parameters = f"{ranked[0].parameters:,} untrained parameters"
    for part in (
        "wrote run-rank1.pt2: ",
        parameters,
        "[batch, 3, 32, 32]",
        "at most 0 of their spread",
    ):
        assert part in result.stdout, part
    assert [path.name for path in folder.iterdir()] == ["run-rank1.pt2"]
    extra = {NOTES: ""}
    program = torch.export.load("run-rank1.pt2", extra_files=extra).module()
    torch.manual_seed(3)
    network = ranked[0].build().eval()
    images = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(program(images), network(images))
    notes = json.loads(extra[NOTES])
    assert notes["run"]["rank"] == 1 and notes["architecture"] == ranked[0].architecture
    assert notes["weights"] == {"trained": False, "seed": 3}


def test_json_of_a_rank(run_file: Path) -> None:
    result = run("export", run_file, "--rank", 3, "--format", "json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    row = swap.search.load(run_file).ranked()[2]
    assert content["architecture"] == row.architecture
    assert (
        content["run"]["score"] == row.score and content["run"]["measure"] == row.candidate.score_of
    )
    assert content["run"]["settings"]["search"]["candidates"] == 4
    assert content["parameters"] == row.parameters and content["flops"] == row.flops
    assert content["versions"]["torch"] == torch.__version__
    known = run("export", run_file, "--arch", row.architecture, "--output", "a.json")
    assert known.exit_code == 0, known.output
    assert json.loads(Path("a.json").read_text())["run"]["rank"] == 3


def test_an_architecture_that_is_not_in_the_run(run_file: Path) -> None:
    result = run("export", run_file, "--arch", CELL, "--format", "json")
    content = json.loads(result.stdout)
    assert content["run"] is None and content["space"]["channels"] == 2


def test_without_a_run_and_for_another_network_of_a_space(run_file: Path) -> None:
    result = run("export", *SPACE, "--arch", CELL, "--format", "json")
    assert json.loads(result.stdout)["space"]["channels"] == 2
    result = run("export", run_file, "--channels", 4, "--format", "json")
    assert json.loads(result.stdout)["space"]["channels"] == 4


@pytest.mark.slow
def test_trained_weights(run_file: Path) -> None:
    best = swap.search.load(run_file).best
    network = swap.validation.with_classes(best.build(), torch.randn(2, 3, 16, 16), 3)
    told = {
        "architecture": best.architecture,
        "classes": ["a", "b", "c"],
        "size": 16,
        "mean": [0.5] * 3,
    }
    torch.save({**told, "network": network.state_dict()}, "net.pt")
    result = run("export", run_file, "--weights", "net.pt", "--output", "net.pt2")
    assert result.exit_code == 0, result.output
    assert " trained parameters" in result.stdout and "[batch, 3, 16, 16]" in result.stdout
    extra = {NOTES: ""}
    program = torch.export.load("net.pt2", extra_files=extra).module()
    images = torch.randn(3, 3, 16, 16)
    torch.testing.assert_close(program(images), network.eval()(images))
    notes = json.loads(extra[NOTES])
    assert notes["weights"] == {
        "trained": True,
        "file": "net.pt",
        "classes": ["a", "b", "c"],
        "size": 16,
    }
    assert notes["input"]["mean"] == [0.5] * 3
    refused = run("export", run_file, "--weights", "net.pt", "--rank", 2)
    assert refused.exit_code == 2 and "of another architecture: give --arch" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a run file, or --space and --arch"),
        (("--arch", CELL), "give a --space"),
        ((*SPACE,), "give a run file, or --space and --arch"),
        ((*SPACE, "--arch", "nonsense"), "nonsense"),
        (("RUN", "--rank", 1, "--arch", CELL), "give --rank or --arch, not both"),
        (("RUN", "--rank", 5), "--rank 5: RUN has 4 scored architectures"),
        (("RUN", "--arch", "nonsense"), "nonsense"),
        (("RUN", "--space", "darts"), "is a run of the space nasbench201, not of darts"),
        (("RUN", "--output", "RUN"), "would overwrite the run file"),
        (("RUN", "--output", "no/net.pt2"), "there is no folder no"),
        (("RUN", "--output", "net.onnx", "--format", "torch"), "is a name for onnx"),
        (("RUN", "--weights", "none.pt"), "no weights at none.pt"),
        (("none.db",), "none.db"),
    ],
)
def test_errors(arguments: tuple[object, ...], message: str, run_file: Path, folder: Path) -> None:
    before = run_file.read_bytes()
    result = run("export", *(run_file if part == "RUN" else part for part in arguments))
    assert result.exit_code == 2, result.output
    assert message.replace("RUN", str(run_file)) in result.stderr
    assert "Traceback" not in result.output
    assert run_file.read_bytes() == before and not list(folder.iterdir())


@pytest.mark.slow
def test_ctrl_c_leaves_the_old_file(
    run_file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("net.pt2").write_text("old")

    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.export, "load", interrupted)
    result = run("export", run_file, "--output", "net.pt2")
    assert result.exit_code == 130
    assert [path.read_text() for path in folder.iterdir()] == ["old"]


OWN = """
import torch
from torch import nn
from examples.own_space import Stack

class Eigenvalues(nn.Module):
    def forward(self, x):
        return torch.linalg.eigvalsh(x @ x.transpose(2, 3))

class Odd(Stack):
    input_size = (3, 8, 8)

    def _build(self, architecture):
        channels = self.parse(architecture)[0][0]
        body = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.ReLU())
        return nn.Sequential(body, Eigenvalues(), nn.Flatten(), nn.Linear(8 * channels, 4))
"""


@pytest.fixture
def own_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of a space of one's own, whose networks have an operator that ONNX lacks."""
    Path("odd_space.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    monkeypatch.delitem(sys.modules, "odd_space", raising=False)
    space = swap.spaces.get("odd_space:Odd")
    scorer = swap.Scorer(space.inputs(4))
    swap.search.search(
        space,
        scorer,
        swap.search.SearchSettings(candidates=1, strategy="random"),
        history="own.db",
    )
    return folder / "own.db"


@pytest.mark.slow
def test_an_operator_that_onnx_lacks(own_run: Path, folder: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    refused = run("export", own_run, "--format", "json")
    assert refused.exit_code == 2 and "give --space odd_space:Odd too" in refused.stderr
    result = run("export", own_run, "--space", "odd_space:Odd", "--format", "onnx")
    assert result.exit_code == 2
    assert "_linalg_eigh" in result.stderr and "'1' (Eigenvalues)" in result.stderr
    assert "Traceback" not in result.output and len(result.stderr) < 400
    assert not list(folder.glob("*.onnx"))
