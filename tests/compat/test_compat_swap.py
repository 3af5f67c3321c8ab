"""compat.SWAP gives the published integer for the same weights and inputs."""

from __future__ import annotations

import math

import pytest
import torch
from support.pattern_counts import published_score
from support.small_net import SmallNet
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.compat import SWAP


class Block(nn.Module):
    """A Transformer's feed-forward part, called with a mapping."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.up, self.act, self.down = nn.Linear(16, 64), kind(), nn.Linear(64, 16)
        self.last = nn.ReLU()

    def forward(self, hidden: Tensor, scale: float = 1.0) -> Tensor:
        return self.last(self.down(self.act(self.up(hidden * scale))))

    @staticmethod
    def from_parts(other: Block) -> Block:
        """With the same weights."""
        block = Block(type(other.act))
        block.load_state_dict(other.state_dict())
        return block


def test_first_form() -> None:
    torch.manual_seed(0)
    space = swap.spaces.get("nasbench201", channels=4, cells=1)
    model = space.build(
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    )
    x = torch.randn(16, 3, 32, 32)
    score = SWAP(model, x, "cpu").forward()
    assert type(score) is int
    assert score == published_score(model, x, (nn.ReLU,))


def test_first_form_sees_only_images() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    assert SWAP(model, torch.randn(4, 8), "cpu").forward() is None


@pytest.mark.parametrize("kind", [nn.GELU, nn.SiLU, nn.ReLU])
def test_later_form(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model = Block(kind)
    hidden = torch.randn(12, 7, 16)
    score = SWAP(model, {"hidden": hidden, "scale": 1.0}, "cpu", transformers=True).forward()
    assert score == published_score(model, hidden, (nn.GELU, nn.SiLU, nn.ReLU))


def test_later_form_sees_activations_that_are_functions() -> None:
    class Functions(Block):
        def forward(self, hidden: Tensor, scale: float = 1.0) -> Tensor:
            return torch.relu(self.down(nn.functional.gelu(self.up(hidden * scale))))

    torch.manual_seed(0)
    model, hidden = Functions(nn.GELU), torch.randn(12, 7, 16)
    wanted = published_score(Block.from_parts(model), hidden, (nn.GELU, nn.ReLU))
    assert SWAP(model, hidden, "cpu", transformers=True).forward() == wanted
    assert SWAP(model, hidden, "cpu").forward() is None


def test_later_form_without_activations() -> None:
    assert SWAP(nn.Linear(4, 4), torch.randn(3, 4), "cpu", transformers=True).forward() is None


SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
TRANSFORMERS: dict[str, dict[str, int]] = {
    "Bert": SIZES | {"intermediate_size": 64, "vocab_size": 60},
    "Electra": SIZES | {"intermediate_size": 64, "vocab_size": 60, "embedding_size": 16},
    "GPT2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 60},
    "ViT": SIZES | {"intermediate_size": 64, "image_size": 16, "patch_size": 4},
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_later_form_of_hugging_face(name: str) -> None:
    """Their activations are classes of their own, such as ``GELUActivation``."""
    transformers = pytest.importorskip("transformers", reason="transformers is absent")
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(
        **TRANSFORMERS[name], bos_token_id=None, eos_token_id=None
    )
    model = getattr(transformers, f"{name}Model")(config).eval()
    inputs = (
        {"pixel_values": torch.randn(12, 3, 16, 16)}
        if name == "ViT"
        else {"input_ids": torch.randint(0, 60, (12, 9))}
    )
    kinds = [type(m) for m in model.modules() if type(m).__module__.endswith("activations")]
    outputs: list[Tensor] = []
    for module in model.modules():
        if isinstance(module, (*kinds, nn.Tanh)):
            module.register_forward_hook(lambda m, i, o: outputs.append(o.reshape(12, -1)))
    with torch.no_grad():
        model(**inputs)
    wanted = torch.unique(torch.sign(torch.cat(outputs, 1)).T, dim=0).size(0)
    found = SWAP(model, inputs, "cpu", transformers=True).forward()
    assert found == wanted == swap.score(model, inputs)


def test_the_published_loop() -> None:
    model = SmallNet()
    x = torch.randn(16, 3, 8, 8)
    swapped = SWAP(model=model, inputs=x, device="cpu", seed=0)
    scores = []
    for seed in range(3):
        torch.manual_seed(seed)
        for parameter in model.parameters():
            nn.init.normal_(parameter)
        model.eval()
        swapped.reinit()
        scores.append(swapped.forward())
        assert scores[-1] == published_score(model, x, (nn.ReLU,))
        swapped.clear()
    other = SmallNet().eval()
    swapped.reinit(other, seed=5)
    assert torch.initial_seed() == 5
    assert swapped.forward() == published_score(other, x, (nn.ReLU,))


def test_regularised_in_thousands_of_parameters() -> None:
    model = SmallNet().eval()
    x = torch.randn(16, 3, 8, 8)
    theta = sum(p.numel() for p in model.parameters()) / 1e3
    score = SWAP(model, x, "cpu", regular=True, mu=1.0, sigma=3.0).forward()
    assert score == published_score(model, x, (nn.ReLU,)) * math.exp(-((theta - 1) ** 2) / 3)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="no model"):
        SWAP().forward()
    with pytest.raises(ValueError, match="needs inputs"):
        SWAP(SmallNet()).forward()
    with pytest.raises(TypeError, match="transformers=True"):
        SWAP(SmallNet(), {"x": torch.ones(1)}, "cpu").forward()
