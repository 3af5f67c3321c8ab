"""Workers by a text, and the GPUs that they get."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from support.searches import MadeUpWorker, small_scorer, small_space

from swapnas_ext.search import DaskCluster, Evaluator, RayCluster, SlurmCluster
from swapnas_ext.search.workers import LocalProcess, check_workers, hire, read_workers
from swapnas_ext.search.workers import registry as hiring
from swapnas_ext.search.workers.cards import on_card, on_own_card, share_of_card
from swapnas_ext.search.workers.travel import unpacked


@pytest.mark.parametrize(
    ("text", "workers"),
    [
        ("3", 3),
        ("ray", RayCluster()),
        ("ray:4", RayCluster(4)),
        ("ray:auto", RayCluster(address="auto")),
        ("ray:4@auto", RayCluster(4, "auto")),
        ("ray:10.0.0.1:6379", RayCluster(address="10.0.0.1:6379")),
        ("ray://head:10001", RayCluster(address="ray://head:10001")),
        ("ray:4@ray://head:10001", RayCluster(4, "ray://head:10001")),
        ("dask", DaskCluster()),
        ("dask:2", DaskCluster(2)),
        ("dask:tcp://host:8786", DaskCluster(address="tcp://host:8786")),
        ("dask@tcp://host:8786", DaskCluster(address="tcp://host:8786")),
        ("dask:50@tls://host:8786", DaskCluster(50, "tls://host:8786")),
        ("slurm:16", SlurmCluster(16)),
        ("slurm:2@local", SlurmCluster(2, cluster="local")),
        ("slurm:16@10.0.0.1", SlurmCluster(16, host="10.0.0.1")),
        ("my_module:workers", None),
        ("rays", None),
    ],
)
def test_workers_by_a_text(text: str, workers: Any) -> None:
    assert read_workers(text) == workers


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0", "at least 1 is needed"),
        ("-2", "at least 1 is needed"),
        ("ray:0", "workers ray:0: at least 1 is needed"),
        ("dask:0@tcp://host:8786", "at least 1 is needed"),
        ("slurm", "how many jobs"),
        ("slurm:somewhere", "how many jobs"),
        ("dask:", r"expected a number of processes, or KIND\[:COUNT\]"),
        ("ray@", "expected a number of processes"),
        ("ray:2@", "expected a number of processes"),
        ("dusk", "workers must be a number of processes, or KIND.* got 'dusk'"),
    ],
)
def test_texts_that_name_no_workers(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_workers(text)


def test_an_unknown_kind_with_a_colon() -> None:
    with pytest.raises(
        ImportError,
        match=r"No module named 'dusk', neither in this folder nor installed; workers are a number",
    ):
        check_workers("dusk:4")


def evaluator(device: str) -> Evaluator:
    return Evaluator(small_space(), small_scorer(), device)


@pytest.mark.parametrize(
    ("device", "cards", "devices"),
    [
        ("cuda", 2, ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]),
        ("cuda", 1, ["cuda"] * 5),
        ("cuda:1", 2, ["cuda:1"] * 5),
        ("cpu", 2, ["cpu"] * 5),
    ],
)
def test_processes_take_the_gpus_in_turn(
    device: str, cards: int, devices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    monkeypatch.setattr(hiring, "torch", type("NoDevice", (), {"empty": lambda *_, **__: None}))
    monkeypatch.setattr(LocalProcess, "_renew", lambda self: None)
    processes = hire(evaluator(device), 5)
    assert [unpacked(process._content).device for process in processes] == devices  # type: ignore[attr-defined]


def test_gpus_of_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert on_card(evaluator("cuda"), 6).device == "cuda:2"
    assert on_own_card(evaluator("cuda:3")).device == "cuda"
    assert on_own_card(evaluator("cuda")).device == "cuda"
    assert on_own_card(evaluator("cpu")).device == "cpu"
    assert share_of_card(8, 2) == 0.25
    assert share_of_card(3, 2) == 0.5
    assert share_of_card(1, 4) == 1
    assert share_of_card(3, 1) == 0.3333  # three times that is no more than one


class FakeRay:
    """Ray with GPUs, as far as its workers ask."""

    class exceptions:
        class RayActorError(Exception): ...

    def __init__(self) -> None:
        self.options: list[dict[str, Any]] = []
        self.sent: list[Any] = []

    def is_initialized(self) -> bool:
        return True

    def get_runtime_context(self) -> Any:
        return type("Context", (), {"gcs_address": "here"})

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 16.0, "GPU": 2.0}

    def put(self, evaluator: Any) -> Any:
        self.sent.append(evaluator)
        return evaluator

    def remote(self, **options: Any) -> Any:
        self.options.append(options)
        return lambda actor: type("Remote", (), {"remote": staticmethod(lambda *_: None)})


@pytest.mark.parametrize(("asked", "count", "share"), [(8, 8, 0.25), (None, 2, 1.0)])
def test_ray_shares_gpus(
    asked: int | None, count: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert len(hire(evaluator("cuda:1"), RayCluster(asked))) == count
    assert ray.options == [
        {"num_cpus": 1, "num_gpus": share, "max_restarts": 0, "max_task_retries": 0}
    ]
    assert [sent.device for sent in ray.sent] == ["cuda"]  # each sees its own card only


@pytest.mark.parametrize(
    ("workers", "missing", "extra"),
    [
        ("dask:2", "distributed", "dask"),
        ("slurm:2", "submitit", "slurm"),
        ("slurm:2", "cryptography", "slurm"),
        ("ray:2", "ray", "ray"),
    ],
)
def test_packages_that_are_not_installed(
    workers: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"pip install 'swapnas-ext\[{extra}\]'"):
        hire(evaluator("cpu"), workers)


def test_no_slurm_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("submitit", "distributed", "cryptography"):
        pytest.importorskip(name, reason="needs submitit: pip install 'swapnas-ext[slurm]'")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RuntimeError, match=r"no Slurm \(no command sbatch\).* slurm:2@local"):
        hire(evaluator("cpu"), "slurm:2")


@pytest.mark.parametrize(
    "options", [{"colour": "red"}, {"mem_gb": "much"}, {"nodes": 2, "timeout_min": 5}]
)
def test_options_that_submitit_does_not_take(options: dict[str, Any], tmp_path: Any) -> None:
    pytest.importorskip("submitit", reason="needs submitit: pip install 'swapnas-ext[slurm]'")
    workers = SlurmCluster(1, options, tmp_path / "jobs", cluster="local")
    with pytest.raises(ValueError, match="options of Slurm: "):
        hire(evaluator("cpu"), workers)


def test_only_the_nearest_option_of_slurm_is_told(tmp_path: Any) -> None:
    pytest.importorskip("submitit", reason="needs submitit: pip install 'swapnas-ext[slurm]'")
    for name, near in (
        ("partitoin", "did you mean partition?"),
        ("timeout", "did you mean timeout_min?"),
        ("colour", "such as partition, "),
    ):
        workers = SlurmCluster(1, {name: "x"}, tmp_path / "jobs", cluster="local")
        with pytest.raises(ValueError, match="options of Slurm: ") as caught:
            hire(evaluator("cpu"), workers)
        text = str(caught.value)
        assert f"no parameter {name}; {near}" in text and len(text) < 120


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere", "foo://127.0.0.1:8786"])
def test_no_dask_at_the_address(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs Dask: pip install 'swapnas-ext[dask]'")
    from swapnas_ext.search.workers import dask_cluster

    monkeypatch.setattr(dask_cluster, "_ANSWERS_WITHIN", 0.5)
    with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at {address}: "):
        hire(evaluator("cpu"), DaskCluster(address=address))


def test_workers_of_a_function_may_be_a_text() -> None:
    made = hire(evaluator("cpu"), lambda evaluator: MadeUpWorker())
    assert len(made) == 1
    with pytest.raises(ValueError, match="how many jobs"):
        hire(evaluator("cpu"), lambda evaluator: "slurm")
