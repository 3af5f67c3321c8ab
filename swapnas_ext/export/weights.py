"""Reads the weights of a trained network from a file, without running code from it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext.validation import with_classes

_STATES = ("network", "model", "state_dict")
"""Where training scripts keep the weights in a checkpoint."""
_TOLD = ("architecture", "classes", "mean", "std", "size", "epoch", "held_out_accuracy")
_MOST_SHOWN = 3


@dataclass(frozen=True)
class Checkpoint:
    """Weights by name, and what the file tells of the training: of ``architecture``, ``classes`` (names), ``mean`` and
    ``std`` (of the images), ``size`` (in pixels), ``epoch`` and ``held_out_accuracy`` those that it has."""

    path: Path
    weights: Mapping[str, Tensor]
    told: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path) -> Checkpoint:
        """Reads a checkpoint of examples/train.py, a ``state_dict`` of `torch.save`, or a ``.safetensors`` file.

        Raises:
            FileNotFoundError: nothing at the path.
            ValueError: not such a file, or one that holds more than tensors and plain values.
            ImportError: safetensors is not installed.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no weights at {path}: expected a file of torch.save")
        content = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
        weights = content
        for name in _STATES:
            if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
                weights = content[name]
                break
        tensors = isinstance(weights, Mapping) and all(
            isinstance(value, Tensor) for value in weights.values()
        )
        if not tensors or not weights:
            raise ValueError(
                f"{path} has no weights: expected a state_dict, or a dict with one as {' or '.join(_STATES)}"
            )
        told = {} if weights is content else {k: content[k] for k in _TOLD if k in content}
        return cls(path, weights, told)

    def into(self, network: nn.Module, inputs: Tensor) -> nn.Module:
        """The network with these weights, and with as many outputs as the checkpoint names classes.

        Args:
            inputs: two samples or more, for a forward pass.

        Raises:
            ValueError: the weights are of another network.
        """
        classes = self.told.get("classes")
        if isinstance(classes, list | tuple):
            network = with_classes(network, inputs, len(classes))
        own = network.state_dict()
        problems = [f"{name} is missing" for name in own if name not in self.weights]
        problems += [f"{name} is not in the network" for name in self.weights if name not in own]
        problems += [
            f"{name} is {list(tensor.shape)}, not {list(own[name].shape)}"
            for name, tensor in self.weights.items()
            if name in own and tensor.shape != own[name].shape
        ]
        if problems:
            more = len(problems) - _MOST_SHOWN
            shown = "; ".join(problems[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
            raise ValueError(
                f"the weights in {self.path} are of another network: {shown}; give the architecture, and the options "
                "of its space, that were trained"
            )
        network.load_state_dict(dict(self.weights))
        return network


def _torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise ValueError(
            f"{path} can't be read as weights: expected a file of torch.save with tensors and plain values only"
        ) from error


def _safetensors(path: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise ImportError(f"{path} needs safetensors: pip install safetensors") from error
    try:
        return load_file(path)
    except Exception as error:  # its own class, which is not public
        raise ValueError(f"{path} is no file of safetensors: {error}") from error
