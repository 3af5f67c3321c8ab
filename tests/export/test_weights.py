"""Trained weights from files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.small_net import SmallNet

from swapnas_ext.export import Checkpoint

IMAGES = torch.randn(2, 3, 8, 8)


def test_a_plain_state_dict(tmp_path: Path) -> None:
    trained, path = SmallNet(), tmp_path / "net.pt"
    torch.save(trained.state_dict(), path)
    checkpoint = Checkpoint.read(path)
    network = checkpoint.into(SmallNet(), IMAGES)
    assert checkpoint.told == {}
    torch.testing.assert_close(network.eval()(IMAGES), trained.eval()(IMAGES))


@pytest.mark.parametrize("key", ["network", "model", "state_dict"])
def test_a_checkpoint_with_other_classes(key: str, tmp_path: Path) -> None:
    trained, path = SmallNet(), tmp_path / "net.pt"
    trained.head = torch.nn.Linear(8, 3)
    content = {key: trained.state_dict(), "classes": ["a", "b", "c"], "epoch": 4, "secret": 1}
    torch.save(content, path)
    checkpoint = Checkpoint.read(path)
    assert checkpoint.told == {"classes": ["a", "b", "c"], "epoch": 4}
    network = checkpoint.into(SmallNet(), IMAGES)
    torch.testing.assert_close(network.eval()(IMAGES), trained.eval()(IMAGES))


def test_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    trained = SmallNet()
    save_file(trained.state_dict(), tmp_path / "net.safetensors")
    network = Checkpoint.read(tmp_path / "net.safetensors").into(SmallNet(), IMAGES)
    torch.testing.assert_close(network.eval()(IMAGES), trained.eval()(IMAGES))
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="is no file of safetensors"):
        Checkpoint.read(tmp_path / "bad.safetensors")


def test_weights_of_another_network(tmp_path: Path) -> None:
    state = SmallNet().state_dict()
    state["head.weight"] = torch.zeros(10, 9)
    del state["head.bias"]
    state["tail.bias"] = torch.zeros(2)
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(ValueError, match="of another network") as caught:
        Checkpoint.read(tmp_path / "net.pt").into(SmallNet(), IMAGES)
    for part in (
        "head.bias is missing",
        "tail.bias is not in",
        "head.weight is [10, 9], not [10, 8]",
    ):
        assert part in str(caught.value)


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (Path("harm"),)


def test_no_code_runs_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"network": Harmful()}, "net.pt")
    with pytest.raises(ValueError, match="tensors and plain values only"):
        Checkpoint.read("net.pt")
    assert not Path("harm").exists()


@pytest.mark.parametrize("content", [{}, {"network": {}}, [1], {"epoch": 1}, 3])
def test_files_without_weights(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(ValueError, match="has no weights"):
        Checkpoint.read(tmp_path / "net.pt")


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no weights at"):
        Checkpoint.read(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("nonsense")
    with pytest.raises(ValueError, match="can't be read as weights"):
        Checkpoint.read(tmp_path / "text.pt")
