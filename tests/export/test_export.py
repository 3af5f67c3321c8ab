"""Programs of torch.export, ONNX models and descriptions."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import pytest
import torch
from support.small_net import SmallNet
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.export import NOTES, describe, to_onnx, to_torch
from swapnas_ext.export.probes import largest_difference, probe
from swapnas_ext.export.traced import evaluating, traced

IMAGES = torch.randn(2, 3, 8, 8)


class Eigenvalues(nn.Module):
    """Uses an operator that ONNX does not have."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvalsh(x @ x.transpose(2, 3))


class Branch(nn.Module):
    """Its control flow depends on the data, which no tracing follows."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class FixesBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(int(x.shape[0]), -1)


def network_with(module: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), module), nn.Flatten(), nn.LazyLinear(3)
    )


def built(module: nn.Module) -> nn.Sequential:
    network = network_with(module)
    network(IMAGES)  # makes the lazy layer
    return network


@pytest.mark.slow
def test_a_program_takes_any_batch_and_needs_no_code(tmp_path: Path) -> None:
    network = SmallNet().train()
    network.features[1].eval()  # modes differ
    state = copy.deepcopy(network.state_dict())
    phases: list[str] = []
    found = to_torch(
        network, IMAGES, tmp_path / "net.pt2", notes='{"a": 1}', on_phase=phases.append
    )
    assert phases == ["tracing", "checking"]
    assert found.inputs == ("batch", 3, 8, 8) and found.dtype == "float32" and not found.fixed_by
    assert found.size == found.path.stat().st_size and found.difference <= found.tolerance
    extra = {NOTES: ""}
    program = torch.export.load(found.path, extra_files=extra).module()
    assert extra[NOTES] == '{"a": 1}'
    assert network.training and network.features[0].training and not network.features[1].training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    network.eval()
    for samples in (1, 5):
        images = torch.randn(samples, 3, 8, 8)
        torch.testing.assert_close(program(images), network(images))


def test_a_network_for_one_batch_only(tmp_path: Path) -> None:
    found = to_torch(built(FixesBatch()), IMAGES, tmp_path / "net.pt2")
    assert found.inputs == (1, 3, 8, 8)
    assert "Sequential" in found.fixed_by
    program = torch.export.load(found.path).module()
    assert program(IMAGES[:1]).shape == (1, 3)


@pytest.mark.slow
@pytest.mark.parametrize("write", [to_torch, to_onnx])
def test_an_untraceable_network_is_told_by_its_layer(write: object, tmp_path: Path) -> None:
    if write is to_onnx:
        pytest.importorskip("onnxscript", reason="needs the extra onnx")
    with pytest.raises(RuntimeError, match=r"'1\.1' \(Branch\)") as caught:
        write(built(Branch()), IMAGES, tmp_path / "net")  # type: ignore[operator]
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_operator_without_translation_is_told_with_its_layer(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    (tmp_path / "net.onnx").write_text("old")
    with pytest.raises(RuntimeError) as caught:
        to_onnx(built(Eigenvalues()), IMAGES, tmp_path / "net.onnx")
    text = str(caught.value)
    assert "linalg_eigh" in text and "'1.1' (Eigenvalues)" in text
    assert "\n" not in text and len(text) < 400
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.slow
def test_an_onnx_model(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    network = SmallNet()
    found = to_onnx(network, IMAGES, tmp_path / "net.onnx", notes='{"a": 1}')
    assert found.inputs == ("batch", 3, 8, 8)
    assert 0 <= found.difference <= found.tolerance
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]  # weights are inside
    session = onnxruntime.InferenceSession(found.path, providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map[NOTES] == '{"a": 1}'
    assert session.get_inputs()[0].shape[0] == "batch"
    images = torch.randn(7, 3, 8, 8)
    (outputs,) = session.run(["output"], {"input": images.numpy()})
    torch.testing.assert_close(torch.from_numpy(outputs), network.eval()(images))


def test_missing_packages_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"onnx, onnxscript, onnxruntime: pip install"):
        to_onnx(SmallNet(), IMAGES, tmp_path / "net.onnx")


@pytest.mark.parametrize("inputs", [torch.randn(3), torch.empty(0, 3), [1.0]])
def test_other_inputs_are_refused(inputs: object, tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError), match="inputs must be"):
        to_torch(SmallNet(), inputs, tmp_path / "net.pt2")  # type: ignore[arg-type]


def fading(seed: int) -> nn.Sequential:
    """A signal that is 10^-6 of the last bias."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 3))
    nn.init.zeros_(network[0].bias)
    network[0].weight.data *= 1e-6
    network[1].bias.data = torch.ones(3)
    return network


def test_a_faded_signal_is_compared_too() -> None:
    network, other = fading(0), fading(1)
    like = torch.randn(2, 6)
    torch.testing.assert_close(network(like), other(like))  # which says nothing of the weights
    found = [probe(network, like, 3)]
    assert largest_difference(lambda x: [network(x)], found, 1e-5) == 0
    with pytest.raises(RuntimeError, match="of the spread"):
        largest_difference(lambda x: [other(x)], found, 0.1)


def test_other_shapes_are_a_difference() -> None:
    network = nn.Linear(6, 3)
    with pytest.raises(RuntimeError, match=r"returns \[2, 2\], and the network itself \[2, 3\]"):
        largest_difference(
            lambda x: [network(x)[:, :2]], [probe(network, torch.randn(2, 6), 2)], 0.1
        )


def test_nan_is_a_difference() -> None:
    network = nn.Linear(6, 3)
    with pytest.raises(RuntimeError, match="differ by nan"):
        largest_difference(
            lambda x: [network(x) * torch.nan], [probe(network, torch.randn(2, 6), 2)], 0.1
        )


SMALL = {
    "darts": ({"network": "cifar10", "channels": 4, "layers": 3}, 32),
    "nasbench101": ({"channels": 4}, 32),
    "nasbench201": ({"channels": 4, "cells": 1}, 32),
    "efficientnet": ({"resolution": 64}, 64),
    "autoformer": ({"resolution": 32}, 32),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) for name in swap.spaces.names()]
)
def test_networks_of_every_space_take_any_batch(name: str) -> None:
    """Tracing finds control flow and shapes that depend on the batch; docs/export.md has whole exports."""
    options, size = SMALL.get(name, ({}, 64))
    space = swap.spaces.get(name, **options)
    network = space.build(space.sample(random.Random(0)))
    inputs = space.inputs(2, size=size)
    with evaluating(network):
        found = traced(network, inputs)
        assert found.batch is None, found.fixed_by
        program = found.program.module()
        with torch.no_grad():
            torch.testing.assert_close(program(inputs[:1]), network(inputs[:1]))


@pytest.mark.slow
def test_a_small_transformer_takes_any_batch() -> None:
    space = swap.spaces.get("autoformer", resolution=32)
    network = space.build(space.sample(random.Random(0)))
    with evaluating(network):
        assert traced(network, space.inputs(2)).batch is None


def test_description() -> None:
    space = swap.spaces.get("nasbench201", channels=2, cells=1)
    cell = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    told = {"trained": True, "mean": [0.5], "std": [0.25]}
    content = describe(space, cell, weights=told)
    json.dumps(content)
    assert content["architecture"] == cell and content["space"]["channels"] == 2
    assert content["parameters"] == space.size(cell)
    assert content["input"] == {
        "shape": ["batch", 3, 32, 32],
        "dtype": "float32",
        "mean": [0.5],
        "std": [0.25],
    }
    assert content["weights"] == {"trained": True} and content["run"] is None
    assert content["formats"] == space.formats(cell)
    assert describe(space, cell)["input"]["mean"] == list(swap.data.MEAN)


def test_description_of_text_networks() -> None:
    space = swap.spaces.get("flexibert", vocabulary=50, sequence_length=8)
    content = describe(space, space.sample(random.Random(0)))
    assert content["input"] == {"shape": ["batch", 8], "dtype": "int64", "mean": None, "std": None}
    with pytest.raises(swap.spaces.ArchitectureError):
        describe(space, "nonsense")
