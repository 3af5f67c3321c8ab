"""The options for workers, without any workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from swapnas_ext.cli import main, worker_options
from swapnas_ext.cli.worker_options import Hands, local_workers
from swapnas_ext.search import DaskCluster, RayCluster, SlurmCluster


@pytest.mark.parametrize(
    ("workers", "device", "cards", "count", "told"),
    [
        (None, "cpu", 2, 4, ""),
        (9, "cpu", 2, 4, "--workers 9: 4 cores are busy with 4 of them\n"),
        (None, "cuda", 2, 2, ""),
        (None, "cuda:1", 2, 1, ""),
        (8, "cuda", 2, 8, ""),
        (8, "cuda:1", 2, 8, ""),
        (99, "cuda", 2, 16, "--workers 99: 2 GPUs and 4 cores are busy with 16 of them\n"),
        (99, "cuda:1", 2, 8, "--workers 99: one GPU is busy with 8 of them\n"),
    ],
)
def test_how_many_local_processes(
    workers: int | None,
    device: str,
    cards: int,
    count: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    monkeypatch.setattr(worker_options, "cores", lambda: 4)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    assert local_workers(workers, device) == count
    assert capsys.readouterr().err == told


def test_workers_of_options() -> None:
    assert Hands(3).local == 3
    assert Hands(DaskCluster(3)).local is None
    assert Hands(DaskCluster(3)).get() == DaskCluster(3)
    assert Hands(2, ray=True).get() == RayCluster(2)
    assert Hands(2, ray_address="auto").get() == RayCluster(2, "auto")
    assert Hands("my_module:workers").get() == "my_module:workers"
    options = (("partition", "gpu"), ("setup", "module load a"), ("setup", "module load b"))
    found = Hands(SlurmCluster(4), slurm_options=options).get("cpu", Path("runs/run.db"))
    assert found == SlurmCluster(
        4,
        {"partition": "gpu", "setup": ["module load a", "module load b"]},
        Path("runs/run.db-slurm"),
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--workers", "dask", "--ray"], "leave out --ray"),
        (["--workers", "slurm:2", "--ray-address", "auto"], "leave out --ray"),
        (["--slurm-option", "partition=gpu"], "give --workers slurm:COUNT too"),
        (["--workers", "slurm:2", "--slurm-option", "gpu"], "expected NAME=VALUE"),
        (["--workers", "slurm:2", *(["--slurm-option", "qos=a"] * 2)], "qos is given twice"),
        (["--workers", "slurm:2@local", "--slurm-option", "colour=red"], "options of Slurm"),
        (["--workers", "dusk:2"], "No module named 'dusk'"),
        (["--workers", "dask:0"], "at least 1 is needed"),
    ],
)
def test_options_that_do_not_go(options: list[str], problem: str, tmp_path: Path) -> None:
    run = tmp_path / "run.db"
    space = ["--space", "nasbench201", "--channels", "2", "--cells", "1"]
    result = CliRunner().invoke(main, ["search", *space, "--run", str(run), *options])
    assert result.exit_code == 2
    assert problem in result.stderr
    assert "Traceback" not in result.stderr
    assert not run.exists()
