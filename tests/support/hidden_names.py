"""Scores a few models with names of torch hidden, each time in a separate process, and prints the results
as JSON. Run by `test_torch_private`; imports torch once and forks, since that import takes most of
the time."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Convolutions(nn.Module):
    """With activations as modules, as functions and as methods, and a buffer that the forward changes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.second = nn.Conv2d(8, 8, 3)
        self.head = nn.Linear(8, 4)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls = self.calls + 1
        x = F.relu(self.second(self.first(x)), inplace=True)
        return self.head((x - 0.5).clamp(min=0).mean((2, 3)))


class Many(nn.Module):
    """Activations that torch decomposes in its own ways, some of them in inference mode."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.slope = nn.Linear(16, 20), nn.Parameter(torch.full((20,), 0.2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        y = [
            F.prelu(x.transpose(1, 2), self.slope),
            F.rrelu(x),
            F.selu(x),
            F.celu(x),
            F.hardswish(x),
        ]
        with torch.inference_mode():
            y += [torch.clip(x, min=0), F.relu6(x), F.leaky_relu(x), x.sigmoid()]
        return sum(one.sum() for one in y)


class Signed(nn.Module):
    """With ternary patterns, and activations inside a fused layer."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
        self.scale = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(self.scale(self.encoder(x)))


def score() -> dict[str, Any]:
    import swapnas_ext as swap
    from swapnas_ext import _torch_private

    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, tokens = torch.randn(12, 3, 16, 16), torch.randn(9, 5, 16)
    convolutions, signed = Convolutions(), Signed().eval()
    space = swap.spaces.get("darts", layers=3)
    architecture = space.sample(__import__("random").Random(0))
    models = {
        "repeats": (convolutions, images, {"init": "gaussian", "repeats": 5}),
        "as they are": (convolutions, images, {}),
        "modules": (convolutions, images, {"init": "kaiming", "repeats": 3, "capture": "modules"}),
        "ternary": (signed, tokens, {"init": "gaussian", "repeats": 3}),
        "many": (Many(), tokens, {}),
        "of a space": (space.build(architecture, initialized=False), images, {"init": "gaussian"}),
        "composite": (convolutions, images, {"init": "gaussian", "measure": "composite"}),
    }
    if "torch._dynamo" in sys.modules:
        compiled = torch.compile(convolutions, backend="eager")
        models["compiled"] = (compiled, images, {})
    before = {name: value.clone() for name, value in convolutions.state_dict().items()}
    found: dict[str, Any] = {"scores": {}, "notes": {}}
    for name, (model, inputs, options) in models.items():
        try:
            result = swap.score(model, inputs, **options)
        except ValueError as error:
            found["scores"][name] = str(error)
        else:
            found["scores"][name] = [
                *result.patterns,
                *(round(c.diversity) for c in result.composites),
            ]
            found["notes"][name] = result.notes
    after = convolutions.state_dict()
    found["unchanged"] = all(torch.equal(before[name], after[name]) for name in before)
    found["missing"] = _torch_private.notes()
    return found


def scored_without(names: str) -> dict[str, Any]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.environ["SWAPNAS_HIDE_TORCH_NAMES"] = names
        try:
            found = score()
        except BaseException:
            found = {"error": traceback.format_exc()}
        with os.fdopen(write, "w") as file:
            json.dump(found, file)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        found = json.load(file)
    os.waitpid(child, 0)
    return found


if __name__ == "__main__":
    if "--compiled" in sys.argv:
        import torch._dynamo
    print(json.dumps({names: scored_without(names) for names in json.load(sys.stdin)}))
