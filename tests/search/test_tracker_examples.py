"""The code of "In experiment trackers" in docs/live.md runs as it stands there.

TensorBoard is the real one. Weights & Biases and MLflow are stand-ins, which record what they are given.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs/live.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The blocks of the page, by what they import."""
    found = _BLOCK.findall(PAGE.read_text())
    monkeypatch.chdir(tmp_path)
    names = ("swapnas_ext", "torch.utils.tensorboard", "wandb", "mlflow")
    assert len(found) == len(names)
    for name, block in zip(names, found, strict=True):
        assert block.startswith((f"import {name}", f"from {name}"))
    return dict(zip(names, found, strict=True))


def run(blocks: dict[str, str], name: str) -> dict[str, Any]:
    """Runs a block after the first one; returns its names."""
    names: dict[str, Any] = {}
    exec(blocks["swapnas_ext"], names)
    exec(blocks[name], names)
    return names


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_tensorboard(blocks: dict[str, str], tmp_path: Path) -> None:
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", exc_type=ImportError
    )
    result = run(blocks, "torch.utils.tensorboard")["result"]
    events = accumulators.EventAccumulator(str(tmp_path / "runs/search"))
    events.Reload()
    best = events.Scalars("best score")
    assert best[-1].step == 40
    assert best[-1].value == pytest.approx(result.best.score, rel=1e-6)
    assert [one.value for one in best] == sorted(one.value for one in best)
    assert events.Scalars("parameters of the best")[-1].value == result.best.parameters
    rates = [one.value for one in events.Scalars("candidates per second")]
    assert min(rates) >= 0 and rates[-1] > 0  # it begins with the first outcomes
    (text,) = events.Tensors("best architecture/text_summary")
    assert text.tensor_proto.string_val[0].decode() == result.best.architecture


@pytest.mark.slow
def test_weights_and_biases(blocks: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[int, dict[str, Any]]] = []
    tracked = SimpleNamespace(
        log=lambda row, step: logged.append((step, row)), summary=dict[str, str]()
    )

    @contextlib.contextmanager
    def init(*, project: str, config: dict[str, Any]) -> Iterator[Any]:
        assert (project, config) == ("nas", {"candidates": 40})
        yield tracked

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    result = run(blocks, "wandb")["result"]
    step, row = logged[-1]
    assert step == row["candidates"] == 40
    assert row["best score"] == pytest.approx(result.best.score)
    assert row["parameters"] == result.best.parameters
    assert tracked.summary == {"best architecture": result.best.architecture}


@pytest.mark.slow
def test_mlflow(blocks: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[int, dict[str, float]]] = []
    told: dict[str, Any] = {}
    module = SimpleNamespace(
        start_run=lambda run_name: contextlib.nullcontext(),
        log_params=told.update,
        log_metrics=lambda row, step: logged.append((step, row)),
        log_text=lambda text, name: told.update({name: text}),
    )
    monkeypatch.setitem(sys.modules, "mlflow", module)
    result = run(blocks, "mlflow")["result"]
    step, row = logged[-1]
    assert step == 40
    assert row["best_score"] == pytest.approx(result.best.score)
    assert row["parameters"] == result.best.parameters
    assert told == {"candidates": 40, "seed": 0, "best_architecture.txt": result.best.architecture}
